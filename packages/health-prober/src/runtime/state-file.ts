/**
 * What a prober must know of its earlier life, so that it goes on where it was killed: how far it has read the events, and
 * what it knew at that point. Everything after that point is read again from the stream, which leads to the same alerts
 * again; those already published are found in their stream and not published twice.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AlertData, certainlyKept, type Incarnation, nextEpoch, type StreamName } from '@muster/contracts';
import { claimStateFolder, replaceFile } from '@muster/contracts/files';
import { z } from 'zod';

/** How far a stream has been read: to a sequence or, before the first message, from a time on. */
const Cursor = z.object({ seq: z.int().min(0).optional(), since: z.iso.datetime() });
export type Cursor = z.infer<typeof Cursor>;

/**
 * The same place in a bus that went back since: at most as far as the stream certainly is what it was. Where nothing is certain
 * it is the recent past, in which what was lost is stored again.
 */
export function cursorAfter(
  cursor: Cursor,
  told: Incarnation | undefined,
  since: number | undefined,
  stream: StreamName,
  recently: string,
): Cursor {
  if (told === undefined || cursor.seq === undefined || since === undefined || since >= told.incarnation) return cursor;
  const kept = certainlyKept(told, since, stream);
  return kept === 0 ? { since: recently } : { ...cursor, seq: Math.min(cursor.seq, kept) };
}

const SavedState = z.object({
  /** Of the bus in which the cursors are places; absent: not known. */
  incarnation: z.int().min(0).optional(),
  events: Cursor,
  /** Alerts up to here are all caused by events up to there, or by probes. */
  alerts: Cursor,
  /** Of alerts made from events: those that were firing. */
  firing: z.array(AlertData),
  /** By instance: what went down and is not up again. */
  outages: z.record(z.string(), z.object({ eventId: z.string(), time: z.iso.datetime(), reason: z.string() })),
});
export type SavedState = z.infer<typeof SavedState>;

const Epoch = z.object({ epoch: z.int().min(0) });

export class StateFile {
  readonly #directory: string;

  /** @throws when the directory can't be made, or another account owns it */
  constructor(directory: string) {
    this.#directory = directory;
    claimStateFolder(directory);
  }

  /** `undefined` on the first start, and when the file is not readable: then the prober begins with the recent past. */
  load(): SavedState | undefined {
    return this.#read('state.json', SavedState);
  }

  save(saved: SavedState): void {
    this.#write('state.json', saved);
  }

  /** Greater than that of every earlier start, also when the file was lost. */
  nextEpoch(unixSeconds: number): number {
    const last = this.#read('epoch.json', Epoch)?.epoch ?? 0;
    const epoch = nextEpoch(last, unixSeconds);
    this.#write('epoch.json', { epoch });
    return epoch;
  }

  #read<S extends z.ZodType>(name: string, schema: S): z.output<S> | undefined {
    try {
      return schema.safeParse(JSON.parse(readFileSync(join(this.#directory, name), 'utf8'))).data;
    } catch {
      return undefined;
    }
  }

  #write(name: string, value: unknown): void {
    replaceFile(join(this.#directory, name), JSON.stringify(value));
  }
}
