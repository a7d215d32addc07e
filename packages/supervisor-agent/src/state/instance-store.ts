/** What must outlive the agent about each instance: what somebody wants of it, its generation and its restart tracker. */
import type { InstanceEvent } from '@muster/contracts';
import { z } from 'zod';
import type { PersistedState } from '../core/state.ts';
import { LastLineJournal } from './last-line-journal.ts';

const SavedInstanceLine = z.object({
  key: z.string(),
  /** Monotonic times count from a boot: of another boot they are void. */
  bootId: z.string(),
  desired: z.enum(['up', 'down']),
  generation: z.int().min(0),
  heldGeneration: z.int().min(0).default(0),
  restartGeneration: z.int().min(0).default(0),
  tracker: z.object({ restartsAtMs: z.array(z.number()), streak: z.int().min(0) }),
  failure: z.string().nullable(),
  /** The run that got past its startup: after adoption it is not asked to start once more. */
  startedGeneration: z.int().min(0),
  /** The run whose end has been dealt with: the next agent finds that end on record, and must not count or tell it anew. */
  endedGeneration: z.int().min(0).default(0),
});
type SavedInstanceLine = z.infer<typeof SavedInstanceLine>;

/** How far the runs of an instance have been followed. */
export interface RunMarks {
  readonly startedGeneration: number;
  readonly endedGeneration: number;
}

export type SavedInstance = Partial<PersistedState> & Partial<RunMarks>;

export class InstanceStore implements Disposable {
  readonly #bootId: string;
  /** By `<service>.<instance>`. */
  readonly #journal: LastLineJournal<typeof SavedInstanceLine>;

  /**
   * `configured`: the keys of all instances there are; what is saved of others is forgotten. `onProblem` is told once for
   * a row of failed writes, and when the file was taken away. @throws when the file can't be opened
   */
  constructor(
    file: string,
    bootId: string,
    configured: ReadonlySet<string>,
    onProblem: (error: unknown) => void = () => {},
  ) {
    this.#bootId = bootId;
    this.#journal = new LastLineJournal({
      file,
      schema: SavedInstanceLine,
      keyOf: ({ key }) => key,
      isWanted: ({ key }) => configured.has(key),
      isDurable: true,
      onProblem,
    });
  }

  /** Lines of the file that nobody can read. A kill tears one at most; more were spoiled by somebody. */
  get unreadableLines(): number {
    return this.#journal.unreadableLines;
  }

  /** What was saved, as far as it still holds: intent and generation survive a reboot, the rest does not. */
  load(service: string, instance: number): SavedInstance {
    const saved = this.#journal.get(keyOf(service, instance));
    if (saved === undefined) return {};
    const { key: _, bootId, ...persisted } = saved;
    if (bootId === this.#bootId) return persisted;
    return { desired: persisted.desired, generation: persisted.generation };
  }

  /** What the outbox still has of the last agent's events. Before `load`. */
  noteFound(events: Iterable<Pick<InstanceEvent, 'service' | 'instance' | 'generation' | 'to' | 'exit'>>): void {
    for (const { service, instance, generation, to, exit } of events) {
      // An exit that is followed at once by the next run is told under that run's number.
      if (exit !== undefined) this.noteTold(service, instance, to === 'starting' ? generation - 1 : generation);
    }
  }

  /** The end of this run was told, though an agent that was killed could not say so here. Before `load`. */
  noteTold(service: string, instance: number, endedGeneration: number): void {
    const saved = this.#journal.get(keyOf(service, instance));
    if (saved !== undefined && saved.endedGeneration < endedGeneration)
      this.#journal.set({ ...saved, endedGeneration });
  }

  /**
   * Written when it returns, if the disk takes it. A changed intent also waits for the disk: it is what a reboot must not
   * forget. Where the disk takes nothing the driver's own records keep a second copy from starting: all that is at risk
   * until it does is the count of restarts and a changed intent.
   */
  save(service: string, instance: number, persisted: PersistedState, marks: RunMarks): void {
    const { desired, generation, heldGeneration, restartGeneration, tracker, failure } = persisted;
    const key = keyOf(service, instance);
    const { restartsAtMs, streak } = tracker;
    // Much of an instance's state is not saved, such as what it waits for: then nothing has changed here.
    const saved: SavedInstanceLine = {
      key,
      bootId: this.#bootId,
      desired,
      generation,
      heldGeneration,
      restartGeneration,
      tracker: { restartsAtMs: [...restartsAtMs], streak },
      failure,
      startedGeneration: marks.startedGeneration,
      endedGeneration: marks.endedGeneration,
    };
    this.#journal.set(saved, (this.#journal.get(key)?.desired ?? 'up') !== desired);
  }

  /** To be called now and then: the file may have been deleted. */
  restoreIfTaken(): void {
    this.#journal.restoreIfTaken();
  }

  [Symbol.dispose](): void {
    this.#journal[Symbol.dispose]();
  }
}

/** `<service>.<instance>`, as in file names and KV keys. */
export function keyOf(service: string, instance: number): string {
  return `${service}.${instance}`;
}
