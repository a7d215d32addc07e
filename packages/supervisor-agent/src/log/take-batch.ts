/*
 * What the next message of an instance says: lines from where the cursor stands, and what of them is left out. Its
 * stderr comes first: it is where errors go, so a flood on stdout must not use up its allowance.
 */
import type { LogGap, LogLine, LogStream } from '@muster/contracts';
import { clockOf, type IndexEntry, readIndex } from '../output/log-index.ts';
import { type Attempt, type Place, type Places, STREAMS } from './cursor.ts';
import { cutLines, MAX_LINE_BYTES } from './cut-lines.ts';
import { LogFile, type Look } from './log-file.ts';
import { parseLine } from './parse-line.ts';

/** Of text in one message: JSON makes it larger, compression much smaller. */
export const BATCH_BYTES = 64 * 1024;
/** A line costs at least so much of a message, however short it is: time, offset and names. */
const LINE_OVERHEAD_BYTES = 64;
/** As many lines as are left out with one message. */
const PASS_BYTES = 32 * 1024 * 1024;

export type Files = Readonly<Record<LogStream, string>>;
export type Looks = Readonly<Record<LogStream, Look | undefined>>;

export interface Wanted {
  readonly files: Files;
  readonly done: Places;
  readonly looks: Looks;
  /** What the last looks were, to tell how much of a file that is gone had not been read. */
  readonly formerSizes: Readonly<Record<LogStream, number>>;
  /** Of the run whose lines they are, where the index of a file does not say. */
  readonly generation: number;
  /** Nothing more will come of the last line. */
  readonly isFinal: boolean;
  readonly allowedBytes: number;
  /** For the reason of a gap. */
  readonly rateBytesPerSecond: number;
  /** What may wait; the oldest beyond it is left out. */
  readonly maxBehindBytes: number;
}

export interface Taken {
  /** The run that wrote the lines: those of one run only. */
  readonly generation: number;
  readonly from: Places;
  readonly to: Places;
  readonly lines: readonly LogLine[];
  readonly gaps: readonly LogGap[];
  /** Of the allowance. */
  readonly usedBytes: number;
}

/** `undefined` when there is nothing to say yet. */
export async function takeBatch(wanted: Wanted): Promise<Taken | undefined> {
  const unread = STREAMS.toReversed().flatMap((stream) => {
    const look = wanted.looks[stream];
    return look === undefined ? [] : [unreadOf(stream, look, wanted)];
  });
  const generations = new Set(unread.map(({ generation }) => generation));
  for (const generation of [...generations].sort((a, b) => a - b)) {
    const own = unread.filter((stretch) => stretch.generation === generation);
    const taken = await takeOfRun(generation, own, wanted);
    if (taken !== undefined) return taken;
  }
  return undefined;
}

/** What may be taken of a file: up to where another run began to write. */
interface Unread {
  readonly stream: LogStream;
  readonly look: Look;
  readonly loss: Omit<LogGap, 'stream'> | undefined;
  readonly start: Place;
  readonly until: number;
  /** Another run's lines follow. */
  readonly isEnded: boolean;
  readonly generation: number;
  readonly index: readonly IndexEntry[];
}

function unreadOf(stream: LogStream, look: Look, { done, formerSizes, files, generation }: Wanted): Unread {
  const start = startOf(done[stream], look);
  const loss = lossOf(done[stream], look, formerSizes[stream]);
  const index = readIndex(files[stream], start.offset, look.size);
  const current = index.findLast(({ offset }) => offset <= start.offset);
  const next = index.find((entry) => entry.offset > start.offset && entry.generation !== current?.generation);
  const until = next?.offset ?? look.size;
  const run = { isEnded: next !== undefined, generation: current?.generation ?? generation };
  return { stream, look, loss, start, until, index, ...run };
}

async function takeOfRun(generation: number, unread: readonly Unread[], wanted: Wanted): Promise<Taken | undefined> {
  const lines: LogLine[] = [];
  const gaps: LogGap[] = [];
  const from: Record<LogStream, Place> = { ...wanted.done };
  const to: Record<LogStream, Place> = { ...wanted.done };
  let usedBytes = 0;
  let room = BATCH_BYTES;
  for (const stretch of unread) {
    const { stream, look, loss, start } = stretch;
    if (loss !== undefined) gaps.push({ stream, ...loss });
    from[stream] = start;
    to[stream] = start;
    // A gap that ends a file and lines of the next one don't share a message: offsets order what is in one.
    if (loss !== undefined) continue;
    using file = LogFile.open(wanted.files[stream], look.inode);
    if (file === undefined) continue;
    const part = await takeFrom(file, stretch, room, wanted.allowedBytes - usedBytes, wanted);
    lines.push(...part.lines);
    gaps.push(...part.gaps);
    to[stream] = { inode: look.inode, offset: part.to };
    usedBytes += part.usedBytes;
    room -= part.usedRoomBytes;
  }
  return lines.length + gaps.length === 0 ? undefined : { generation, from, to, lines, gaps, usedBytes };
}

/** The lines of an attempt once more, as far as its files still have them. */
export async function takeAgain(files: Files, { from, to, gaps }: Attempt): Promise<Pick<Taken, 'lines' | 'gaps'>> {
  const lines: LogLine[] = [];
  const lost: LogGap[] = [];
  for (const stream of STREAMS.toReversed()) {
    let at = from[stream].offset;
    const end = to[stream].offset;
    if (at === end) continue;
    using file = LogFile.open(files[stream], to[stream].inode);
    const skipped = gaps.filter((gap) => gap.stream === stream && gap.offset >= at);
    for (const gap of [...skipped, { offset: end, bytes: 0 }]) {
      const index = readIndex(files[stream], at, gap.offset);
      const stretch = { ...WITHOUT_BOUND, stream, start: at, until: gap.offset, index };
      const read = file === undefined ? [] : readLines(file, stretch);
      const reached = read.at(-1)?.end ?? at;
      lines.push(...read.map(({ line }) => line));
      if (reached < gap.offset) lost.push({ stream, offset: reached, bytes: gap.offset - reached, reason: GONE });
      at = gap.offset + gap.bytes;
    }
  }
  return { lines, gaps: [...gaps, ...lost] };
}

const WITHOUT_BOUND = { roomBytes: Number.POSITIVE_INFINITY, allowedBytes: Number.POSITIVE_INFINITY, isEnded: true };
const GONE = 'the file was cut off or replaced before this was known to have arrived';

function startOf(place: Place, { inode, size }: Look): Place {
  return place.inode === inode && size >= place.offset ? place : { inode, offset: 0 };
}

function lossOf({ inode, offset }: Place, look: Look, formerSize: number): Omit<LogGap, 'stream'> | undefined {
  if (inode === 0) return undefined;
  const bytes = Math.max(0, formerSize - offset);
  const what = bytes === 0 ? 'nothing unread had been seen of it' : 'what had not been read of it is missing';
  if (inode !== look.inode) return { offset, bytes, reason: `another file took the log's place: ${what}` };
  if (look.size < offset) return { offset, bytes, reason: `the log file was cut off: ${what}` };
  return undefined;
}

interface Part {
  readonly lines: readonly LogLine[];
  readonly gaps: readonly LogGap[];
  readonly to: number;
  readonly usedBytes: number;
  /** Of the message's room. */
  readonly usedRoomBytes: number;
}

async function takeFrom(
  file: LogFile,
  { stream, start: { offset: start }, until, isEnded, index }: Unread,
  roomBytes: number,
  allowedBytes: number,
  { isFinal, rateBytesPerSecond, maxBehindBytes }: Wanted,
): Promise<Part> {
  const leaveOut = async (from: number, end: number, reason: string): Promise<LogGap[]> => {
    const { to, lines } = await file.pass(from, end, PASS_BYTES);
    return to === from ? [] : [{ stream, offset: from, bytes: to - from, lines, reason }];
  };
  if (until - start > maxBehindBytes) {
    const reason = `more than ${sizeText(maxBehindBytes)} waited to be shipped`;
    const gaps = await leaveOut(start, until - maxBehindBytes, reason);
    if (gaps.length > 0) return { lines: [], gaps, to: endOf(gaps, start), usedBytes: 0, usedRoomBytes: 0 };
  }
  const read = readLines(file, { stream, start, until, roomBytes, allowedBytes, isEnded: isFinal || isEnded, index });
  const to = read.at(-1)?.end ?? start;
  const usedBytes = to - start;
  const isCapped = usedBytes >= allowedBytes;
  const gaps = isCapped && to < until ? await leaveOut(to, until, `more than ${sizeText(rateBytesPerSecond)}/s`) : [];
  return {
    lines: read.map(({ line }) => line),
    gaps,
    to: endOf(gaps, to),
    usedBytes,
    usedRoomBytes: usedBytes + read.length * LINE_OVERHEAD_BYTES,
  };
}

function sizeText(bytes: number): string {
  if (bytes >= 1_024 ** 2) return `${Math.round(bytes / 1_024 ** 2)} MiB`;
  return bytes >= 1_024 ? `${Math.round(bytes / 1_024)} KiB` : `${bytes} bytes`;
}

function endOf(gaps: readonly LogGap[], otherwise: number): number {
  const last = gaps.at(-1);
  return last === undefined ? otherwise : last.offset + last.bytes;
}

interface Stretch {
  readonly stream: LogStream;
  readonly start: number;
  readonly until: number;
  /** In the message. */
  readonly roomBytes: number;
  /** Of the files. */
  readonly allowedBytes: number;
  /** Nothing follows behind `until`. */
  readonly isEnded: boolean;
  readonly index: readonly IndexEntry[];
}

/** Lines until there is no more room or no allowance; the last one may go beyond it. */
function readLines(file: LogFile, stretch: Stretch): { readonly line: LogLine; readonly end: number }[] {
  const { stream, start, until, roomBytes, allowedBytes, isEnded, index } = stretch;
  const found: { line: LogLine; end: number }[] = [];
  const readAt = new Date().toISOString();
  const writtenAt = clockOf(index);
  const isFull = () => room <= 0 || at - start >= allowedBytes;
  let at = start;
  let room = roomBytes;
  while (at < until && !isFull()) {
    const sliceStart = at;
    const bytes = file.read(at, Math.min(until - at, Math.max(room, 2 * MAX_LINE_BYTES)));
    const isLast = at + bytes.length >= until;
    for (const { start: from, textEnd, end, isPartial } of cutLines(bytes, isEnded && isLast)) {
      if (isFull()) break;
      const offset = sliceStart + from;
      const parsed = parseLine(bytes.toString('utf8', from, textEnd));
      const time = parsed.time ?? writtenAt(offset) ?? readAt;
      const line = { stream, offset, ...parsed, time, ...(isPartial && { partial: true }) };
      at = sliceStart + end;
      room -= end - from + LINE_OVERHEAD_BYTES;
      found.push({ line, end: at });
    }
    // The rest is no whole line yet, or the file has become shorter.
    if (at === sliceStart) break;
  }
  return found;
}
