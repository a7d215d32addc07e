/**
 * Brings the lines of all instances of this host into the stream, as far as the bus, the disk and each service's rate
 * allow. Looking is cheap and regular, for a watch on files that are written 200,000 times a second would be neither.
 */
import path from 'node:path';
import type { Incarnation } from '@muster/contracts';
import { messageOf } from '@muster/contracts';
import type { Bus } from '@muster/contracts/bus';
import type { LogSpec } from '@muster/contracts/config';
import type { Envelopes } from '../bus/envelopes.ts';
import { monotonicNowMs } from '../host/clock.ts';
import { keyOf } from '../state/instance-store.ts';
import { AcknowledgedBatches } from './acknowledged-batches.ts';
import { CursorJournal } from './cursor-journal.ts';
import type { Mask } from './mask-line.ts';
import { Shipper } from './shipper.ts';
import type { Files } from './take-batch.ts';

export interface LogShippingOptions {
  readonly host: string;
  readonly stateDir: string;
  readonly bus: Pick<Bus, 'publishOrdered' | 'isConnected' | 'connectedSinceMs'>;
  readonly envelopes: Envelopes;
  /** What of a service's lines stays on the host; default: nothing. */
  readonly maskOf?: (service: string) => Mask;
  /** What may wait for the bus of one instance. */
  readonly maxBehindBytes?: number;
  /** Told once when lines can't be shipped, and once when they can again (`undefined`). */
  readonly onProblem: (reason: string | undefined) => void;
  /** Told when a refusal looks as if the bus had gone back. */
  readonly onGoneBack?: () => Promise<void> | void;
}

const MAX_BEHIND_BYTES = 64 * 1024 * 1024;
const LOOK_INTERVAL_MS = 250;
/** Who has nothing to send is looked at every two seconds only, an eighth of them in each round: a look costs 10 µs. */
const IDLE_ROUNDS = 8;
/** At once: each holds a message in memory. */
const MAX_AT_WORK = 4;
const MESSAGES_IN_A_ROW = 16;
const RETRY_MS = 2_000;

/** Where an instance's lines lie. */
export function logFilesOf(stateDir: string, service: string, instance: number): Files {
  const name = path.join(stateDir, 'logs', keyOf(service, instance));
  return { stdout: `${name}.stdout.log`, stderr: `${name}.stderr.log` };
}

/** One instance, and how it goes with it. */
interface Place {
  readonly shipper: Shipper;
  /** In which of the rounds it is looked at while it has nothing to send. */
  readonly phase: number;
  isAtWork: boolean;
  retryAtMs: number;
  problem: string | undefined;
}

export class LogShipping implements Disposable {
  readonly #options: LogShippingOptions;
  readonly #journal: CursorJournal;
  readonly #acknowledged: AcknowledgedBatches;
  readonly #places = new Map<string, Place>();
  readonly #waiters = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;
  #round = 0;
  #atWork = 0;
  #hasProblem = false;
  #isEnding = false;
  #incarnation: Incarnation | undefined;

  /** @throws when the state directory takes no file */
  constructor(options: LogShippingOptions) {
    this.#options = options;
    this.#journal = new CursorJournal(path.join(options.stateDir, 'log-cursors.jsonl'));
    this.#acknowledged = new AcknowledgedBatches(path.join(options.stateDir, 'log-acknowledged.jsonl'));
  }

  /** From now on its lines are shipped, beginning with those that no agent has shipped. */
  add(service: string, instance: number, generation: number, spec: LogSpec): void {
    if (!spec.ship) return;
    const { host, stateDir, bus, envelopes, maxBehindBytes = MAX_BEHIND_BYTES, onGoneBack, maskOf } = this.#options;
    const key = keyOf(service, instance);
    const files = logFilesOf(stateDir, service, instance);
    const whose = { host, service, instance, generation, files, spec, maxBehindBytes };
    const mask = maskOf?.(service) ?? ((text: string) => text);
    const ways = { bus, envelopes, journal: this.#journal, acknowledged: this.#acknowledged, onGoneBack, mask };
    const shipper = new Shipper({ ...whose, ...ways }, key, monotonicNowMs());
    if (this.#incarnation !== undefined) shipper.learn(this.#incarnation, this.#acknowledged.read().get(key) ?? []);
    const phase = this.#places.size % IDLE_ROUNDS;
    this.#places.set(key, { shipper, phase, isAtWork: false, retryAtMs: 0, problem: undefined });
  }

  /** What the bus says of its store: what it may have lost is sent again. */
  learn(told: Incarnation): void {
    if (told.incarnation <= (this.#incarnation?.incarnation ?? 0)) return;
    this.#incarnation = told;
    const acknowledged = this.#acknowledged.read();
    for (const [key, { shipper }] of this.#places) shipper.learn(told, acknowledged.get(key) ?? []);
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#round = (this.#round + 1) % IDLE_ROUNDS;
      this.#lookAround(({ shipper, phase }) => !shipper.isIdle || phase === this.#round);
      this.#wakeAll();
    }, LOOK_INTERVAL_MS);
  }

  /** Settles when all that has been written is in the stream; rejects with the signal's reason. */
  async flush(signal: AbortSignal): Promise<void> {
    const places = [...this.#places.values()];
    for (const { shipper } of places) shipper.flush();
    for (;;) {
      this.#lookAround(() => true);
      if (places.every(({ shipper, isAtWork }) => shipper.isIdle && !isAtWork)) return;
      signal.throwIfAborted();
      await new Promise<void>((resolve) => this.#waiters.add(resolve));
    }
  }

  /** Stops. What is on its way is on record. */
  [Symbol.dispose](): void {
    this.#isEnding = true;
    clearInterval(this.#timer);
    this.#wakeAll();
    this.#journal[Symbol.dispose]();
    this.#acknowledged[Symbol.dispose]();
  }

  #lookAround(isTurn: (place: Place) => boolean): void {
    const nowMs = monotonicNowMs();
    if (!this.#mayWork()) return;
    for (const [key, place] of this.#places) {
      if (this.#atWork >= MAX_AT_WORK) return;
      if (place.isAtWork || nowMs < place.retryAtMs || !isTurn(place) || !this.#isDue(place, nowMs)) continue;
      void this.#work(key, place);
    }
  }

  /** False as well when its files can't be looked at: nothing of one instance may end the agent. */
  #isDue(place: Place, nowMs: number): boolean {
    const { shipper } = place;
    try {
      const isDue = shipper.isDue(nowMs);
      if (place.problem !== undefined && shipper.isIdle) this.#over(place);
      return isDue;
    } catch (error) {
      this.#failed(place, error);
      return false;
    }
  }

  #over(place: Place): void {
    place.problem = undefined;
    this.#tellProblem();
  }

  #failed(place: Place, error: unknown): void {
    place.retryAtMs = monotonicNowMs() + RETRY_MS;
    // That the bus is away is no news here: the lines wait in their files.
    if (this.#mayWork()) place.problem = messageOf(error);
    this.#tellProblem();
  }

  #mayWork(): boolean {
    return !this.#isEnding && this.#options.bus.isConnected;
  }

  /** Never rejects. */
  async #work(key: string, place: Place): Promise<void> {
    place.isAtWork = true;
    this.#atWork += 1;
    try {
      let sent = 0;
      while (this.#mayWork() && sent < MESSAGES_IN_A_ROW && (await place.shipper.step(monotonicNowMs()))) sent += 1;
      this.#over(place);
    } catch (error) {
      this.#failed(place, error);
    }
    place.isAtWork = false;
    this.#atWork -= 1;
    // To the end of the line, so that a flood does not keep the others waiting.
    this.#places.delete(key);
    this.#places.set(key, place);
    this.#wakeAll();
  }

  #tellProblem(): void {
    if (this.#isEnding) return;
    const problem = [...this.#places.values()].find((place) => place.problem !== undefined)?.problem;
    if (this.#hasProblem === (problem !== undefined)) return;
    this.#hasProblem = problem !== undefined;
    this.#options.onProblem(problem);
  }

  #wakeAll(): void {
    for (const wake of this.#waiters) wake();
    this.#waiters.clear();
  }
}
