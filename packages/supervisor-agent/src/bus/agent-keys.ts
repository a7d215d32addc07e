import path from 'node:path';
import { type Incarnation, type InstanceStatus, PRESENCE_INTERVAL_MS, type ServiceSpecEntry } from '@muster/contracts';
import { type Bus, keysDigest } from '@muster/contracts/bus';
import { KvWriter } from './kv-writer.ts';

/** A fleet that comes back to the bus does not put all its keys at once. */
const RESYNC_JITTER_MS = PRESENCE_INTERVAL_MS / 4;
/** An agent cannot see what became of its keys: somebody may have had the server put something else there. */
const RESYNC_EVERY_MS = 15 * 60_000;

/** All that this agent keeps in buckets: the spec of each service, the status of each instance. */
export class AgentKeys implements Disposable {
  readonly statuses: KvWriter<InstanceStatus>;
  readonly specs: KvWriter<ServiceSpecEntry>;
  #resyncTimer: NodeJS.Timeout | undefined;
  readonly #resyncs: NodeJS.Timeout;

  /** `onProblem` is told of each failure, and whether it is the first of a row. */
  constructor(
    bus: Pick<Bus, 'kv' | 'isConnected'>,
    stateDir: string,
    onProblem: (error: unknown, isFirst: boolean) => void,
  ) {
    const isConnected = () => bus.isConnected;
    const journal = (bucket: string) => path.join(stateDir, `kv-${bucket}-keys.json`);
    const common = { isConnected, onProblem };
    this.statuses = new KvWriter({ ...common, bucket: bus.kv('status'), journalFile: journal('status') });
    this.specs = new KvWriter({ ...common, bucket: bus.kv('specs'), journalFile: journal('specs') });
    this.#resyncs = setInterval(() => this.putAgain(), RESYNC_EVERY_MS * (0.75 + Math.random() / 2));
  }

  /** All is said: what only a former agent put is deleted. */
  dropFormer(): void {
    this.specs.dropFormer();
    this.statuses.dropFormer();
  }

  connection(isConnected: boolean): void {
    if (isConnected) this.putAgain();
  }

  incarnation(_told: Incarnation, hasGoneBack: boolean): void {
    if (hasGoneBack) this.putAgain();
  }

  /** What the bus has lost is not known: all keys are put again, soon. */
  putAgain(): void {
    clearTimeout(this.#resyncTimer);
    this.#resyncTimer = setTimeout(() => {
      this.statuses.resync();
      this.specs.resync();
    }, Math.random() * RESYNC_JITTER_MS);
  }

  /** So that others can tell a key that nobody keeps any more. */
  digest(): string {
    return keysDigest([...this.statuses.keys(), ...this.specs.keys()]);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#resyncTimer);
    clearInterval(this.#resyncs);
    this.statuses.stop();
    this.specs.stop();
  }
}
