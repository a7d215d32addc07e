/**
 * Which commands this agent has answered. An id is written down before anything acts on it, so that the same id never
 * acts twice, not even when the agent is killed in between. What a full disk does not take this agent knows all the same, and
 * the next one refuses every position that this one has said.
 */
import { ACTING_VERBS, CommandCode } from '@muster/contracts';
import { z } from 'zod';
import { LastLineJournal } from '../../state/last-line-journal.ts';

const Entry = z.object({
  id: z.string(),
  accepted: z.boolean(),
  code: CommandCode,
  reason: z.string(),
  /** What was to be done, and with which run of which instance. */
  act: z
    .object({
      verb: z.enum(ACTING_VERBS),
      service: z.string(),
      instance: z.int().min(0),
      generation: z.int().min(0),
    })
    .optional(),
  /** What came of it, once that is known. */
  settled: z.object({ outcome: z.enum(['done', 'failed']), reason: z.string() }).optional(),
});
export type Answer = Omit<z.infer<typeof Entry>, 'id'>;

/** Old ids are forgotten beyond this many; a command that is that late is refused as stale anyway. */
const MAX_ENTRIES = 4_096;

export class CommandJournal implements Disposable {
  readonly #journal: LastLineJournal<typeof Entry>;

  /** `onProblem` is told once for a row of failed writes. */
  constructor(file: string, onProblem: (error: unknown) => void = () => {}) {
    this.#journal = new LastLineJournal({
      file,
      schema: Entry,
      keyOf: ({ id }) => id,
      maxKeys: MAX_ENTRIES,
      onProblem,
    });
  }

  /** What was answered to this id before. */
  find(id: string): Answer | undefined {
    const entry = this.#journal.get(id);
    if (entry === undefined) return undefined;
    const { id: _, ...answer } = entry;
    return answer;
  }

  /** What was accepted and has not come to an end as far as is known, by id. */
  unsettled(): ReadonlyMap<string, Answer> {
    const open = [...this.#journal.values()].filter(({ act, settled }) => act !== undefined && settled === undefined);
    return new Map(open.map(({ id, ...answer }) => [id, answer]));
  }

  /** Written when it returns, if the disk takes it: a command may be what makes room. The later entry of an id counts. */
  record(id: string, answer: Answer): void {
    this.#journal.set({ id, ...answer });
  }

  [Symbol.dispose](): void {
    this.#journal[Symbol.dispose]();
  }
}
