/**
 * What must outlive the agent about each instance: what somebody wants of it, its generation and its restart tracker.
 * One append-only journal for all: a change is one short write before anything acts on it, where replacing a file would
 * cost a rename between a crash and its restart. Rewritten at each start, and when it has grown.
 */
import { appendFileSync, closeSync, fstatSync, fsyncSync, mkdirSync, openSync, statSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import type { PersistedState } from '../core/state.ts';
import { readFileIfAny, replaceFile } from './atomic-file.ts';

const SavedInstanceLine = z.object({
  key: z.string(),
  /** Monotonic times count from a boot: of another boot they are void. */
  bootId: z.string(),
  desired: z.enum(['up', 'down']),
  generation: z.int().min(0),
  heldGeneration: z.int().min(0).default(0),
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

/** Rewritten when this many lines have been added. */
const MAX_ADDED_LINES = 10_000;
/** Between two attempts to write what a full disk has refused. */
const RETRY_MS = 1_000;

export class InstanceStore implements Disposable {
  readonly #file: string;
  readonly #bootId: string;
  /** The last line of each instance, by `<service>.<instance>`. */
  readonly #lines = new Map<string, string>();
  readonly #loaded = new Map<string, SavedInstanceLine>();
  readonly #onProblem: (error: unknown) => void;
  /** Keys whose last line the disk has not taken yet. */
  readonly #unwritten = new Set<string>();
  #retry: NodeJS.Timeout | undefined;
  #descriptor: number;
  #added = 0;

  /** Lines of the file that nobody can read. A kill tears one at most; more were spoiled by somebody. */
  readonly unreadableLines: number;

  /**
   * `configured`: the keys of all instances there are; what is saved of others is forgotten. `onProblem` is told once for
   * a row of failed writes, and when the file was taken away. @throws when the file can't be written
   */
  constructor(
    file: string,
    bootId: string,
    configured: ReadonlySet<string>,
    onProblem: (error: unknown) => void = () => {},
  ) {
    this.#file = file;
    this.#bootId = bootId;
    this.#onProblem = onProblem;
    let unreadableLines = 0;
    for (const line of (readFileIfAny(file) ?? '').split('\n')) {
      if (line === '') continue;
      const saved = parse(line);
      if (saved === undefined) unreadableLines += 1;
      if (saved === undefined || !configured.has(saved.key)) continue;
      this.#lines.set(saved.key, line);
      this.#loaded.set(saved.key, saved);
    }
    this.unreadableLines = unreadableLines;
    mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
    this.#descriptor = this.#rewrite();
  }

  /** What was saved, as far as it still holds: intent and generation survive a reboot, the rest does not. */
  load(service: string, instance: number): SavedInstance {
    const saved = this.#loaded.get(keyOf(service, instance));
    if (saved === undefined) return {};
    const { key: _, bootId, ...persisted } = saved;
    if (bootId === this.#bootId) return persisted;
    return { desired: persisted.desired, generation: persisted.generation };
  }

  /** The end of this run was told, though an agent that was killed could not say so here. Before `load`. */
  noteTold(service: string, instance: number, endedGeneration: number): void {
    const key = keyOf(service, instance);
    const saved = this.#loaded.get(key);
    if (saved !== undefined && saved.endedGeneration < endedGeneration)
      this.#loaded.set(key, { ...saved, endedGeneration });
  }

  /**
   * Written when it returns. A changed intent also waits for the disk: it is what a reboot must not forget. A disk that
   * takes nothing must not end supervision: the driver's own records keep a second copy from starting, so all that is at
   * risk until the next attempt succeeds is the count of restarts and a changed intent. Never throws.
   */
  save(
    service: string,
    instance: number,
    persisted: PersistedState,
    { startedGeneration, endedGeneration }: RunMarks,
  ): void {
    const { desired, generation, heldGeneration, tracker, failure } = persisted;
    const key = keyOf(service, instance);
    const before = this.#loaded.get(key);
    const { restartsAtMs, streak } = tracker;
    const saved: SavedInstanceLine = {
      key,
      bootId: this.#bootId,
      desired,
      generation,
      heldGeneration,
      tracker: { restartsAtMs: [...restartsAtMs], streak },
      failure,
      startedGeneration,
      endedGeneration,
    };
    const line = JSON.stringify(saved);
    // Much of an instance's state is not saved, such as what it waits for: then nothing has changed here.
    if (this.#lines.get(key) === line) return;
    this.#lines.set(key, line);
    this.#loaded.set(key, saved);
    this.#unwritten.add(key);
    // While the disk refuses, one attempt at a time for all instances.
    if (this.#retry === undefined) this.#write((before?.desired ?? 'up') !== desired);
  }

  /**
   * Writes everything again when the file was deleted or replaced: what is appended to it then, no agent would find. Never
   * throws.
   */
  restoreIfTaken(): void {
    if (this.#retry === undefined) this.#write(false);
  }

  /** Writes what is missing, if the disk takes it now. */
  [Symbol.dispose](): void {
    if (this.#retry !== undefined) {
      clearTimeout(this.#retry);
      this.#write(true);
      clearTimeout(this.#retry);
    }
    closeSync(this.#descriptor);
  }

  #write(isDurable: boolean): void {
    const isFirstFailure = this.#retry === undefined;
    this.#retry = undefined;
    try {
      for (const key of this.#unwritten) {
        // The line break comes first: a line torn by a kill or a full disk then spoils itself only.
        appendFileSync(this.#descriptor, `\n${this.#lines.get(key)}`);
        this.#unwritten.delete(key);
        this.#added += 1;
      }
      if (isDurable) fsyncSync(this.#descriptor);
      const isTaken = this.#isTaken();
      if (isTaken || this.#added >= MAX_ADDED_LINES) {
        const former = this.#descriptor;
        this.#descriptor = this.#rewrite();
        closeSync(former);
      }
      if (isTaken) this.#onProblem(new Error(`'${this.#file}' was deleted or replaced: all of it is written again`));
    } catch (error) {
      if (isFirstFailure) this.#onProblem(error);
      this.#retry = setTimeout(() => this.#write(true), RETRY_MS).unref();
    }
  }

  #isTaken(): boolean {
    const there = statSync(this.#file, { throwIfNoEntry: false });
    const open = fstatSync(this.#descriptor);
    return there?.ino !== open.ino || there.dev !== open.dev;
  }

  /** Returns the descriptor to append to. */
  #rewrite(): number {
    replaceFile(this.#file, [...this.#lines.values()].map((line) => `\n${line}`).join(''), { isDurable: true });
    this.#added = 0;
    return openSync(this.#file, 'a', 0o600);
  }
}

/** `<service>.<instance>`, as in file names and KV keys. */
export function keyOf(service: string, instance: number): string {
  return `${service}.${instance}`;
}

function parse(line: string): SavedInstanceLine | undefined {
  try {
    return SavedInstanceLine.parse(JSON.parse(line));
  } catch {
    // Torn by a kill, or of another version. Starting over costs a budget's count; refusing to start costs the service.
    return undefined;
  }
}
