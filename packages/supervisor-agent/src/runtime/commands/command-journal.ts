/**
 * Which commands this agent has answered. An id is written down before anything acts on it, so that the same id never
 * acts twice, not even when the agent is killed in between. What a full disk does not take is written once there is room:
 * until then this agent knows it, and the next one refuses every position that this one has said.
 */
import { appendFileSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { CommandCode } from '@muster/contracts';
import { z } from 'zod';
import { readFileIfAny, replaceFile } from '../../state/atomic-file.ts';

const Entry = z.object({
  id: z.string(),
  accepted: z.boolean(),
  code: CommandCode,
  reason: z.string(),
  /** What was to be done, and with which run of which instance. */
  act: z
    .object({
      verb: z.enum(['start', 'stop', 'restart', 'adopt', 'forget']),
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

export class CommandJournal {
  readonly #file: string;
  readonly #onProblem: (error: unknown) => void;
  readonly #answers = new Map<string, Answer>();
  #linesInFile = 0;
  /** There is something that the disk has not taken. */
  #isBehind = false;

  /** `onProblem` is told once for a row of failed writes. */
  constructor(file: string, onProblem: (error: unknown) => void = () => {}) {
    this.#file = file;
    this.#onProblem = onProblem;
    mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
    for (const line of (readFileIfAny(file) ?? '').split('\n')) {
      const entry = parseLine(line);
      if (entry === undefined) continue;
      const { id, ...answer } = entry;
      this.#answers.set(id, answer);
      this.#linesInFile += 1;
    }
  }

  /** What was answered to this id before. */
  find(id: string): Answer | undefined {
    return this.#answers.get(id);
  }

  /** What was accepted and has not come to an end as far as is known. */
  unsettled(): ReadonlyMap<string, Answer> {
    return new Map([...this.#answers].filter(([, { act, settled }]) => act !== undefined && settled === undefined));
  }

  /** Written when it returns, if the disk takes it: never throws, for a command may be what makes room. The later entry of an id counts. */
  record(id: string, answer: Answer): void {
    this.#answers.set(id, answer);
    try {
      appendFileSync(this.#file, lineOf([id, answer]), { mode: 0o600 });
      this.#linesInFile += 1;
    } catch (error) {
      if (!this.#isBehind) this.#onProblem(error);
      this.#isBehind = true;
    }
    if (this.#isBehind || this.#linesInFile > 2 * MAX_ENTRIES) this.#rewrite();
  }

  #rewrite(): void {
    for (const id of [...this.#answers.keys()].slice(0, -MAX_ENTRIES)) this.#answers.delete(id);
    try {
      replaceFile(this.#file, [...this.#answers].map(lineOf).join(''));
    } catch {
      return; // The next command tries again.
    }
    this.#linesInFile = this.#answers.size;
    this.#isBehind = false;
  }
}

/** The line break comes first: a line torn by a kill or a full disk then spoils itself only. */
function lineOf([id, answer]: readonly [string, Answer]): string {
  return `\n${JSON.stringify({ id, ...answer })}`;
}

function parseLine(line: string): z.infer<typeof Entry> | undefined {
  if (line === '') return undefined;
  try {
    return Entry.parse(JSON.parse(line));
  } catch {
    return undefined; // torn by a kill: the command was not acted on
  }
}
