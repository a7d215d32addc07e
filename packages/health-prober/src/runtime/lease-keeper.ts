import { setTimeout as delay } from 'node:timers/promises';
import { keys, type Lease } from '@muster/contracts';
import { type Bus, type KvBucket, uuidv7 } from '@muster/contracts/bus';
import { isFree, isHeld, LEASE_RENEW_MS, type Sighting, sight } from '../core/lease.ts';
import { monotonicMs, wallTime } from './clock.ts';

const LOOK_EVERY_MS = 1_000;
const KEY = keys.lease('judge', 'main');

export interface LeaseKeeperOptions {
  readonly bus: Bus;
  readonly prober: string;
  readonly epoch: number;
}

/** Holds the lease of the judge, one term after another. */
export class LeaseKeeper {
  readonly #bucket: KvBucket<Lease>;
  readonly #bus: Bus;
  readonly #self: Pick<Lease, 'holder' | 'epoch'>;
  #term = 0;
  #revision = 0;
  #renewedAtMs = Number.NEGATIVE_INFINITY;
  /** The highest that was ever seen here, whoever wrote it. */
  #highestRevision = 0;

  constructor({ bus, prober, epoch }: LeaseKeeperOptions) {
    this.#bus = bus;
    this.#bucket = bus.kv('leases');
    this.#self = { holder: prober, epoch };
  }

  /** Settles once it is ours. @throws the signal's reason. */
  async acquire(signal: AbortSignal): Promise<void> {
    let sighting: Sighting | undefined;
    let isUnbroken = false;
    for (;;) {
      await this.#bus.connected(signal);
      try {
        const entry = await this.#bucket.get(KEY);
        const nowMs = monotonicMs();
        if (entry === undefined) {
          // Somebody may hold it nevertheless: the bus was emptied under him, or had rubbish put there.
          const isSomebodys = await this.#mayBeHeld();
          sighting = sight(sighting, { holder: '', revision: 0 }, nowMs, isUnbroken);
          const create = () => this.#bucket.create(KEY, this.#lease(this.#term + 1));
          const isTurn = !isSomebodys || isFree(sighting, undefined, nowMs);
          if (isTurn && (await this.#write(this.#term + 1, create))) return;
        } else {
          const { holder, term } = entry.value;
          // In a restored bus an entry of ours may be there again that somebody else has taken since: it must lapse first.
          const isOld = entry.revision < this.#highestRevision && this.#wasOthers;
          this.#highestRevision = Math.max(this.#highestRevision, entry.revision);
          sighting = sight(sighting, { holder, revision: entry.revision }, nowMs, isUnbroken);
          const next = term + 1;
          const take = () => this.#bucket.update(KEY, this.#lease(next), entry.revision);
          const self = isOld ? undefined : this.#self.holder;
          if (isFree(sighting, self, nowMs) && (await this.#write(next, take))) return;
        }
        isUnbroken = true;
      } catch {
        // The bus went away meanwhile, or the bucket is not there yet: looked at again, and time counts from then.
        isUnbroken = false;
      }
      await delay(LOOK_EVERY_MS, undefined, { signal });
    }
  }

  /** Renews it until it is lost, the bus has `goneBack` or `signal` ends it; resolves with why. */
  async hold(signal: AbortSignal, goneBack: AbortSignal): Promise<string> {
    const term = this.#term;
    const either = AbortSignal.any([signal, goneBack]);
    while (!signal.aborted) {
      await delay(LEASE_RENEW_MS / 2, undefined, { signal: either }).catch(() => undefined);
      if (goneBack.aborted) return 'the bus has gone back in time';
      // Two that renew would each take the other for another prober.
      if (this.#term !== term) return 'it was taken anew, for another term';
      if (!isHeld(this.#renewedAtMs, monotonicMs())) return 'it could not be renewed in time';
      if (monotonicMs() - this.#renewedAtMs < LEASE_RENEW_MS || !this.#bus.isConnected) continue;
      const renew = () => this.#bucket.update(KEY, this.#lease(this.#term), this.#revision);
      const isOurs = await this.#write(this.#term, renew).catch(() => undefined);
      if (isOurs === false && !(await this.#renewOverRubbish())) return 'another prober has taken it';
    }
    return 'the prober is stopping';
  }

  async #mayBeHeld(): Promise<boolean> {
    return this.#wasOthers || (await this.#bucket.unreadable(KEY)) !== undefined;
  }

  /** The newest that was seen in this life was not ours. */
  get #wasOthers(): boolean {
    return this.#highestRevision !== this.#revision;
  }

  /** What stands there may be nobody's lease: the server's own acknowledgements can be aimed at any key. */
  async #renewOverRubbish(): Promise<boolean> {
    const revision = await this.#bucket.unreadable(KEY).catch(() => undefined);
    if (revision === undefined || !isHeld(this.#renewedAtMs, monotonicMs())) return false;
    const renew = () => this.#bucket.update(KEY, this.#lease(this.#term), revision);
    return (await this.#write(this.#term, renew).catch(() => undefined)) !== false;
  }

  #lease(term: number): Lease {
    return {
      id: uuidv7(),
      time: wallTime(),
      source: `prober/${this.#self.holder}`,
      ...this.#self,
      term,
    };
  }

  async #write(term: number, write: () => Promise<{ revision: number } | undefined>): Promise<boolean> {
    const sentMs = monotonicMs();
    const written = await write();
    if (written === undefined) return false;
    this.#term = term;
    this.#revision = written.revision;
    this.#highestRevision = written.revision;
    this.#renewedAtMs = sentMs;
    return true;
  }
}
