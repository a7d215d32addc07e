/*
 * How far the lines of one instance are in the stream, and what is on its way. Pure: what is decided here is written down
 * by the journal before it is acted on.
 *
 * An attempt says which bytes of which files it covers, as lines or as gaps. Whoever finds it after a kill makes the same
 * message again from the files and sends it with the same id: the server knows it, or takes it now. After two minutes it may be
 * stored twice, and readers know it by its id.
 */
import { LogGap, LogStream } from '@muster/contracts';
import { z } from 'zod';

const Place = z.object({
  /** Which file it is, whatever its name; 0 before there was one. */
  inode: z.int().min(0),
  offset: z.int().min(0),
});
export type Place = z.infer<typeof Place>;

const Places = z.object({ stdout: Place, stderr: Place });
export type Places = z.infer<typeof Places>;

export const Attempt = z.object({
  /** Of the message. */
  id: z.string(),
  generation: z.int().min(0),
  /** Where reading began: not where the last one ended when a file was cut off or replaced. */
  from: Places,
  to: Places,
  gaps: z.array(LogGap),
});
export type Attempt = z.infer<typeof Attempt>;

export const Cursor = z.object({
  /** All before is in the stream, or counted there. */
  done: Places,
  /** The stream's last sequence of the instance's subject; absent while nothing of it is known. */
  lastSeq: z.int().min(0).optional(),
  /** The bus's incarnation as far as it was known then: what that has lost was sent again. */
  incarnation: z.int().min(0).optional(),
  attempt: Attempt.optional(),
  /** How much might still be sent after its last attempt; absent: a burst. */
  allowedBytes: z.number().optional(),
  /** When that was so, by the wall clock: the time since then adds to it. */
  atMs: z.number(),
});
export type Cursor = z.infer<typeof Cursor>;

const NOWHERE: Place = { inode: 0, offset: 0 };

export function newCursor(nowMs: number): Cursor {
  return { done: { stdout: NOWHERE, stderr: NOWHERE }, atMs: nowMs };
}

/** About to be sent; `allowedBytes` are left behind it. */
export function begin(cursor: Cursor, attempt: Attempt, allowedBytes: number, nowMs: number): Cursor {
  return { ...cursor, attempt, allowedBytes, atMs: nowMs };
}

/** It is in the stream. */
export function settle({ attempt, done, ...rest }: Cursor, seq: number): Cursor {
  return { ...rest, done: attempt?.to ?? done, lastSeq: seq };
}

/** It was not stored now: the stream's last sequence is another. */
export function refuse(cursor: Cursor, lastSeq: number): Cursor {
  return { ...cursor, lastSeq };
}

/** It was there before, and is again. */
export function settleAgain(cursor: Cursor, seq: number): Cursor {
  return { ...cursor, lastSeq: seq };
}

export const STREAMS = LogStream.options;
