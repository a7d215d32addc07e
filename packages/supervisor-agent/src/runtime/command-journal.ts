/**
 * Which commands this agent has answered. An id is written down before anything acts on it, so that the same id never
 * acts twice, not even when the agent is killed in between.
 */
import { appendFileSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { CommandCode } from '@muster/contracts';
import { z } from 'zod';
import { readFileIfAny, replaceFile } from '../atomic-file.ts';

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
  readonly #answers = new Map<string, Answer>();
  #linesInFile = 0;

  constructor(file: string) {
    this.#file = file;
    mkdirSync(path.dirname(file), { recursive: true });
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

  /** Written when it returns. Of two entries with one id the later counts. */
  record(id: string, answer: Answer): void {
    // The line break comes first: a torn last line of a killed agent then spoils itself only.
    appendFileSync(this.#file, `\n${JSON.stringify({ id, ...answer })}`, { mode: 0o600 });
    this.#answers.set(id, answer);
    this.#linesInFile += 1;
    if (this.#linesInFile > 2 * MAX_ENTRIES) this.#compact();
  }

  #compact(): void {
    const recent = [...this.#answers].slice(-MAX_ENTRIES);
    try {
      replaceFile(this.#file, recent.map(([id, answer]) => `\n${JSON.stringify({ id, ...answer })}`).join(''));
    } catch {
      return; // What was recorded stands in the file already, and must be acted on. The next command tries again.
    }
    this.#answers.clear();
    for (const [id, answer] of recent) this.#answers.set(id, answer);
    this.#linesInFile = recent.length;
  }
}

function parseLine(line: string): z.infer<typeof Entry> | undefined {
  if (line === '') return undefined;
  try {
    return Entry.parse(JSON.parse(line));
  } catch {
    return undefined; // torn by a kill: the command was not acted on
  }
}
