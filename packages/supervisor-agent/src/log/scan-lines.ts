/*
 * Looks through one log file for lines that are wanted, from a place backwards or onwards, a slice at a time. It ends when
 * it has enough, at the end of the file, or when it has looked long enough: then whoever asked goes on from there.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { JudgedLine, LogStream } from '@muster/contracts';
import { clockOf, readIndex } from '../output/log-index.ts';
import { cutLines } from './cut-lines.ts';
import type { LogFile } from './log-file.ts';
import { parseLine } from './parse-line.ts';

/** A wanted line. */
export interface Found {
  readonly line: JudgedLine;
  /** Where the next one starts. */
  readonly end: number;
  /** Its own time, or that of the line before it. */
  readonly time: string | undefined;
}

export interface Scan {
  /** In the order of the file. */
  readonly found: readonly Found[];
  /** Everything between the start and here has been looked at. */
  readonly reached: number;
}

export interface ScanOptions {
  readonly stream: LogStream;
  /** The file's path, for its index. */
  readonly path: string;
  /** Of these lines, which are in the order of the file, the wanted ones. */
  readonly select: (lines: readonly Found[]) => readonly Found[];
  readonly enough: number;
  /** What is older need not be looked at. */
  readonly since: string | undefined;
  /** Time to leave the rest to the next request. */
  readonly isOver: () => boolean;
}

const SLICE_BYTES = 128 * 1024;

/** The last lines before `end`. `reached` is 0 when there are no more. */
export async function scanBackwards(file: LogFile, end: number, options: ScanOptions): Promise<Scan> {
  let found: Found[] = [];
  let reached = end;
  while (reached > 0 && found.length < options.enough && !options.isOver()) {
    const from = Math.max(0, reached - SLICE_BYTES);
    const bytes = file.read(from, reached - from);
    // The slice begins somewhere within a line, whose start is in the slice before.
    const newline = from === 0 ? -1 : bytes.indexOf(0x0a);
    const start = newline === -1 || newline + 1 === bytes.length ? 0 : newline + 1;
    const lines = linesOf(bytes, start, from, true, options);
    found = [...options.select(lines), ...found];
    reached = from + start;
    const last = lines.findLast(({ line }) => line.time !== undefined)?.time;
    if (options.since !== undefined && last !== undefined && last < options.since) reached = 0;
    await nextTurn();
  }
  return { found, reached };
}

/** The first lines from `start` on. */
export async function scanOnwards(file: LogFile, start: number, size: number, options: ScanOptions): Promise<Scan> {
  const found: Found[] = [];
  let reached = start;
  while (reached < size && found.length < options.enough && !options.isOver()) {
    const bytes = file.read(reached, Math.min(SLICE_BYTES, size - reached));
    if (bytes.length === 0) break;
    const isLast = reached + bytes.length >= size;
    const lines = linesOf(bytes, 0, reached, isLast, options);
    found.push(...options.select(lines));
    reached = lines.at(-1)?.end ?? reached + bytes.length;
    await nextTurn();
  }
  return { found, reached };
}

function linesOf(bytes: Buffer, start: number, at: number, isFinal: boolean, { stream, path }: ScanOptions): Found[] {
  const lines: Found[] = [];
  let time: string | undefined;
  const rest = bytes.subarray(start);
  const writtenAt = clockOf(readIndex(path, at + start, at + bytes.length));
  for (const piece of cutLines(rest, isFinal)) {
    const offset = at + start + piece.start;
    const parsed = parseLine(rest.toString('utf8', piece.start, piece.textEnd));
    const ownTime = parsed.time ?? writtenAt(offset);
    time = ownTime ?? time;
    const written = { ...parsed, ...(ownTime !== undefined && { time: ownTime }) };
    const line = { stream, offset, ...written, ...(piece.isPartial && { partial: true }) };
    lines.push({ line, end: at + start + piece.end, time });
  }
  return lines;
}
