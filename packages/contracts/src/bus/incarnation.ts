/*
 * Which life of the bus's store this is.
 *
 * The number is in the bucket `config`, so that it goes back with a store that is restored, and beside the keys, where it does
 * not. Each set-up writes the same mark, a new one, to both: where they differ, the store is another than the one that was set up
 * last. A copy that was taken since, and a power cut, leave the same mark: those are noticed by probers, who know what the
 * streams held (StoreWitness). By hand it is raised after a restore through the API. It never falls.
 */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { keys } from '../buckets.ts';
import { readIfPresent, replaceFile } from '../files/replace-file.ts';
import { NONE } from '../ids.ts';
import { Incarnation, MAX_RAISES } from '../messages/incarnation.ts';
import type { ConfigEntry } from '../messages/stored.ts';
import { proberCommands } from '../rows.ts';
import type { Bus, Subscription } from './bus.ts';
import { uuidv7 } from './uuid.ts';

/** What the store says of itself. */
const Mark = Incarnation.extend({ mark: z.string().min(1).max(64) });
type Mark = z.infer<typeof Mark>;

const FILE = 'incarnation.json';

export interface StoreMark {
  readonly incarnation: Incarnation;
  /** Of the entry, for whoever replaces it. */
  readonly revision: number;
}

/** What the store says; `undefined` when it says nothing, or nothing readable. @throws as `KvBucket.get` */
export async function readIncarnation(bus: Bus): Promise<StoreMark | undefined> {
  const found = await readMark(bus);
  return found && { incarnation: Incarnation.parse(found.mark), revision: found.revision };
}

/** Puts it where nothing, or nothing newer, is. False when somebody else was faster. @throws as `KvBucket.update` */
export async function writeIncarnation(
  bus: Bus,
  incarnation: Incarnation,
  former: StoreMark | undefined,
): Promise<boolean> {
  const found = former === undefined ? undefined : await readMark(bus);
  if (found?.revision !== former?.revision) return false;
  return writeMark(bus, { ...incarnation, mark: found?.mark.mark ?? uuidv7() }, former?.revision);
}

/** One more time that the store went back; `kept` says how far, as far as that is certain. */
export function raised(
  { raises }: Incarnation,
  incarnation: number,
  kept: Incarnation['raises'][number]['kept'],
): Incarnation {
  return { incarnation, raises: [...raises, { incarnation, kept }].slice(-MAX_RAISES) };
}

export interface IncarnationReport {
  readonly incarnation: number;
  /** The store is another than at the last set-up; or it was said to be. */
  readonly isRaised: boolean;
}

export interface IncarnationOptions {
  /** Where the keys of this bus are; absent on a machine that has none. */
  readonly directory?: string;
  /** Somebody says that it was restored. */
  readonly isRestored?: boolean;
}

/** Part of a set-up, by who may write `config`: compares, raises where it must, and marks both. @throws what the bus, or the disk, refuses */
export async function setUpIncarnation(
  bus: Bus,
  { directory, isRestored = false }: IncarnationOptions,
): Promise<IncarnationReport> {
  for (;;) {
    const outside = directory === undefined ? undefined : await readIncarnationFile(directory);
    const found = await readMark(bus);
    const { isRaised, ...next } = nextMark(found?.mark, outside, isRestored);
    const mark: Mark = { ...next, mark: (directory === undefined && found?.mark.mark) || uuidv7() };
    // The store first: a set-up that is cut off in between raises the number once more, which does no harm.
    if (!(await writeMark(bus, mark, found?.revision))) continue;
    if (directory !== undefined) replaceFile(join(directory, FILE), `${JSON.stringify(mark)}\n`);
    return { incarnation: mark.incarnation, isRaised };
  }
}

/** What stands beside the keys; `undefined` when nothing readable does. @throws when the file can't be read */
export async function readIncarnationFile(directory: string): Promise<Mark | undefined> {
  return parseMark(readIfPresent(join(directory, FILE)));
}

function nextMark(inside: Mark | undefined, outside: Mark | undefined, isRestored: boolean) {
  const last = Math.max(inside?.incarnation ?? 0, outside?.incarnation ?? 0);
  // Without a mark beside the keys, nothing is known that the store could differ from.
  const isOther = outside !== undefined && inside?.mark !== outside.mark;
  const isRaised = last > 0 && (isRestored || isOther);
  const newest = (inside?.incarnation ?? 0) >= (outside?.incarnation ?? 0) ? inside : outside;
  const raises = newest?.raises ?? [];
  if (!isRaised) return { incarnation: Math.max(1, last), raises, isRaised };
  return { ...raised({ incarnation: last, raises }, last + 1, []), isRaised };
}

const ANSWER_TIMEOUT_MS = 5_000;
const RETRY_MIN_MS = 500;
/** Whoever waits for an answer waits no longer than this, and the time of one question. */
const ASK_NOW_MS = 5_000;
const RETRY_MAX_MS = 15_000;
/** A bus that went back under a connection that lasts is noticed so late. */
const ASK_EVERY_MS = 60_000;

export interface IncarnationQuestions extends Subscription {
  /** It looks as if the bus had gone back: settles when somebody has answered, or nobody in time. Never rejects. */
  askNow(): Promise<void>;
}

/**
 * Asks the probers which life of the store this is: after each connection until one answers, and from time to time. What they
 * answer is signed.
 */
export function followIncarnation(bus: Bus, onAnswer: (told: Incarnation) => void): IncarnationQuestions {
  const stopping = new AbortController();
  let asking: Promise<boolean> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let failures = 0;

  /** One question at a time. */
  const askOnce = (): Promise<boolean> => {
    asking ??= ask(bus, stopping.signal).then((told) => {
      asking = undefined;
      if (stopping.signal.aborted) return false;
      failures = told === undefined ? failures + 1 : 0;
      if (told !== undefined) onAnswer(told);
      askIn(failures === 0 ? ASK_EVERY_MS : Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** failures));
      return told !== undefined;
    });
    return asking;
  };
  const askIn = (ms: number): void => {
    clearTimeout(timer);
    timer = setTimeout(() => void askOnce(), ms * (0.75 + Math.random() / 2));
    timer.unref();
  };
  const stopListening = bus.onConnection(({ connected }) => {
    if (connected) askIn(0);
  });
  askIn(0);
  return {
    askNow: async () => {
      // One that is under way may have been asked before anybody could know, and a prober may be on its way back as well.
      const untilMs = performance.now() + ASK_NOW_MS;
      while (!stopping.signal.aborted && bus.isConnected && !(await askOnce()) && performance.now() < untilMs) {
        await delay(RETRY_MIN_MS, undefined, { signal: stopping.signal }).catch(() => {});
      }
    },
    stop: () => {
      stopping.abort();
      clearTimeout(timer);
      stopListening();
    },
  };
}

/** `undefined` when nobody answers. Never rejects. */
async function ask(bus: Bus, signal: AbortSignal): Promise<Incarnation | undefined> {
  if (!bus.isConnected) return undefined;
  const source = `${bus.role}/${bus.id}`;
  const question = { id: uuidv7(), time: new Date().toISOString(), source, actor: source };
  try {
    const answer = await bus.request(proberCommands.bus, {}, question, { timeoutMs: ANSWER_TIMEOUT_MS, signal });
    return answer.accepted ? { incarnation: answer.incarnation, raises: answer.raises } : undefined;
  } catch {
    return undefined;
  }
}

async function readMark(bus: Bus): Promise<{ mark: Mark; revision: number } | undefined> {
  const entry = await bus.kv('config').get(keys.incarnation());
  const mark = parseMark(entry?.value.content);
  if (entry !== undefined && mark === undefined) {
    // Somebody's entry of another kind: what it says counts as nothing, and is replaced.
    return { mark: { incarnation: 1, raises: [], mark: 'unreadable' }, revision: entry.revision };
  }
  return mark && entry && { mark, revision: entry.revision };
}

async function writeMark(bus: Bus, mark: Mark, revision: number | undefined): Promise<boolean> {
  const config = bus.kv('config');
  const source = `${bus.role}/${bus.id}`;
  const value: ConfigEntry = {
    id: uuidv7(),
    time: new Date().toISOString(),
    source,
    kind: 'incarnation',
    host: NONE,
    content: JSON.stringify(mark),
    origin: 'apply',
    appliedBy: source,
  };
  const key = keys.incarnation();
  const written = revision === undefined ? config.create(key, value) : config.update(key, value, revision);
  return (await written) !== undefined;
}

function parseMark(text: string | undefined): Mark | undefined {
  if (text === undefined) return undefined;
  try {
    return Mark.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
