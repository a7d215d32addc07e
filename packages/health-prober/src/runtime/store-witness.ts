/**
 * Notices that the bus has gone back in time: each prober remembers, outside the store, what the streams held, and compares after
 * each connection. Then it raises the incarnation, or adds to one that was raised how far the store went back; and it answers
 * everybody's question for it, once it has compared.
 */
import { readFileSync } from 'node:fs';
import { Incarnation, proberCommands, type StreamName } from '@muster/contracts';
import {
  type Bus,
  NoStreamError,
  raised,
  readIncarnation,
  type StoreMark,
  type Subscription,
  uuidv7,
  writeIncarnation,
} from '@muster/contracts/bus';
import { replaceFile } from '@muster/contracts/files';
import { z } from 'zod';
import { addWitness, compareWitnesses, type Standing, type Witness } from '../core/witness.ts';
import { wallTime } from './clock.ts';

/** Those that a prober may read, and that agents and probers must bring back. */
const WITNESSED = ['events', 'logs', 'alerts', 'rollup-1m', 'rollup-15m', 'rollup-2h'] as const satisfies StreamName[];
const LOOK_MS = 5_000;
const RETRY_MS = 500;
const ANSWER_WITHIN_MS = 3_000;

const SavedState = z.object({
  incarnation: Incarnation.optional(),
  witnesses: z.record(
    z.string(),
    z.array(z.object({ seq: z.int().min(0), storedAt: z.string(), notedAtMs: z.number() })).max(1_000),
  ),
});

export interface StoreWitnessOptions {
  readonly bus: Bus;
  readonly prober: string;
  /** Where it remembers. */
  readonly file: string;
  /** Told after each comparison. */
  readonly onCompared: (told: Incarnation) => void;
  readonly onProblem: (what: string, error?: unknown) => void;
}

type Kept = Incarnation['raises'][number]['kept'];

export class StoreWitness implements Subscription {
  readonly #options: StoreWitnessOptions;
  readonly #witnesses = new Map<string, readonly Witness[]>();
  readonly #answering: Subscription;
  readonly #stopListening: () => void;
  #known: Incarnation | undefined;
  /** The connection on which it has compared. */
  #comparedSinceMs: number | undefined;
  readonly #waiting = new Set<() => void>();
  #isLooking = false;
  #isStopped = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: StoreWitnessOptions) {
    this.#options = options;
    const { bus, prober, file } = options;
    const saved = readSavedState(file);
    this.#known = saved?.incarnation;
    for (const [stream, witnesses] of Object.entries(saved?.witnesses ?? {})) this.#witnesses.set(stream, witnesses);
    this.#answering = bus.respond(proberCommands.bus, {}, async ({ id }) => {
      await this.compared(AbortSignal.timeout(ANSWER_WITHIN_MS));
      // Who could not compare leaves it to the next time that he is asked.
      if (this.#known === undefined || !this.#hasCompared) return undefined;
      const envelope = { id: uuidv7(), time: wallTime(), source: `prober/${prober}`, commandId: id };
      return { ...envelope, accepted: true, code: 'ok' as const, reason: 'it has been compared', ...this.#known };
    });
    this.#stopListening = bus.onConnection(({ connected }) => {
      if (connected) this.#lookIn(0);
    });
    if (bus.isConnected) this.#lookIn(0);
  }

  /** As far as it is known. */
  get incarnation(): Incarnation | undefined {
    return this.#known;
  }

  /** Settles once it has compared on the connection of now, or when the signal says so. */
  async compared(signal: AbortSignal): Promise<void> {
    while (!this.#hasCompared && !signal.aborted) {
      await new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => resolve(), { once: true });
        this.#waiting.add(resolve);
      });
    }
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#stopListening();
    this.#answering.stop();
  }

  get #hasCompared(): boolean {
    const { connectedSinceMs } = this.#options.bus;
    return connectedSinceMs !== undefined && this.#comparedSinceMs === connectedSinceMs;
  }

  #lookIn(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => void this.#look(), ms);
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    const { bus, onProblem } = this.#options;
    if (this.#isLooking || !bus.isConnected) return;
    this.#isLooking = true;
    const sinceMs = bus.connectedSinceMs;
    try {
      if (!this.#hasCompared && (await this.#compare()) && bus.connectedSinceMs === sinceMs) {
        this.#comparedSinceMs = sinceMs;
        if (this.#known !== undefined) this.#options.onCompared(this.#known);
        for (const resolve of this.#waiting) resolve();
        this.#waiting.clear();
      }
      if (this.#hasCompared) await this.#note(sinceMs);
    } catch (error) {
      // Streams that are not set up yet are what a start begins with.
      if (bus.isConnected && !(error instanceof NoStreamError)) onProblem('cannot compare what the bus holds', error);
    }
    this.#isLooking = false;
    this.#lookIn(this.#hasCompared ? LOOK_MS : RETRY_MS);
  }

  /** False when it must be done again. @throws what the bus throws */
  async #compare(): Promise<boolean> {
    const { bus } = this.#options;
    const mark = await readIncarnation(bus);
    const standings = new Map<string, Standing>();
    for (const stream of WITNESSED) standings.set(stream, await this.#standingOf(stream));
    const kept = keptIn(standings);
    const hasGoneBack = [...standings.values()].some((standing) => standing.hasGoneBack);
    const next = nextIncarnation(this.#known, mark, hasGoneBack, kept);
    if (next !== mark?.incarnation && !(await writeIncarnation(bus, next, mark))) return false;
    for (const [stream, { hasGoneBack: isLost, keptUpTo = 0 }] of standings) {
      if (!isLost) continue;
      const still = (this.#witnesses.get(stream) ?? []).filter(({ seq }) => seq <= keptUpTo);
      this.#witnesses.set(stream, still);
    }
    this.#known = next;
    this.#save();
    return true;
  }

  async #standingOf(stream: StreamName): Promise<Standing> {
    const { bus } = this.#options;
    const witnesses = this.#witnesses.get(stream) ?? [];
    return compareWitnesses(witnesses, await bus.storeState(stream), (seq) => bus.storedAt(stream, seq));
  }

  /** What the streams hold now. @throws what the bus throws */
  async #note(sinceMs: number | undefined): Promise<void> {
    const { bus } = this.#options;
    let hasChanged = false;
    for (const stream of WITNESSED) {
      const { lastSeq } = await bus.storeState(stream);
      const witnesses = this.#witnesses.get(stream) ?? [];
      const newest = witnesses.at(-1)?.seq ?? 0;
      // It went back under a connection that lasts: restored through the API.
      if (lastSeq < newest) this.#comparedSinceMs = undefined;
      if (lastSeq <= newest) continue;
      const storedAt = await bus.storedAt(stream, lastSeq);
      // On another connection it may be another store.
      if (storedAt === undefined || bus.connectedSinceMs !== sinceMs) continue;
      this.#witnesses.set(stream, addWitness(witnesses, { seq: lastSeq, storedAt, notedAtMs: Date.now() }));
      hasChanged = true;
    }
    if (hasChanged) this.#save();
  }

  #save(): void {
    const { file, onProblem } = this.#options;
    const saved = { incarnation: this.#known, witnesses: Object.fromEntries(this.#witnesses) };
    try {
      replaceFile(file, JSON.stringify(saved));
    } catch (error) {
      onProblem('cannot remember what the bus holds: after a restart a restored one may go unnoticed', error);
    }
  }
}

function keptIn(standings: ReadonlyMap<string, Standing>): Kept {
  return [...standings].flatMap(([stream, { keptUpTo }]) =>
    keptUpTo === undefined ? [] : [{ stream, seq: keptUpTo }],
  );
}

/** What must stand in the store; the very value that stands there when that is right. */
function nextIncarnation(
  known: Incarnation | undefined,
  mark: StoreMark | undefined,
  hasGoneBack: boolean,
  kept: Kept,
): Incarnation {
  const stored = mark?.incarnation;
  if (known === undefined) return stored ?? { incarnation: 1, raises: [] };
  // Somebody could have had rubbish put there: the number alone says nothing.
  if (stored === undefined && !hasGoneBack) return known;
  if (stored === undefined || stored.incarnation < known.incarnation) return raised(known, known.incarnation + 1, kept);
  if (stored.incarnation === known.incarnation) {
    return hasGoneBack ? raised(known, known.incarnation + 1, kept) : stored;
  }
  // Raised by somebody who could not tell how far it went back.
  const isOpen = ({ incarnation, kept: told }: Incarnation['raises'][number]) =>
    incarnation > known.incarnation && told.length === 0;
  if (kept.length === 0 || !stored.raises.some(isOpen)) return stored;
  return { ...stored, raises: stored.raises.map((raise) => (isOpen(raise) ? { ...raise, kept } : raise)) };
}

function readSavedState(file: string): z.infer<typeof SavedState> | undefined {
  try {
    return SavedState.safeParse(JSON.parse(readFileSync(file, 'utf8'))).data;
  } catch {
    return undefined;
  }
}
