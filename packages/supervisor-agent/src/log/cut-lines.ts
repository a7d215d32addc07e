import { MAX_LINE_CHARS } from '@muster/contracts';

/** A line longer than this goes on in a next one. */
export const MAX_LINE_BYTES = MAX_LINE_CHARS;

const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** One line within some bytes. */
export interface Piece {
  readonly start: number;
  /** Where the text ends: before the line break. */
  readonly textEnd: number;
  /** Where the next one starts. */
  readonly end: number;
  /** Its rest is a piece of its own. */
  readonly isPartial: boolean;
}

/**
 * Cuts bytes, which begin where a line begins, into lines. What is behind the last line break is left for the next time,
 * unless `isFinal`. Where one stops and goes on does not matter: the pieces are the same.
 */
export function* cutLines(bytes: Buffer, isFinal: boolean): Generator<Piece, void> {
  let start = 0;
  while (start < bytes.length) {
    const newline = bytes.indexOf(NEWLINE, start);
    const length = (newline === -1 ? bytes.length : newline) - start;
    if (length > MAX_LINE_BYTES) {
      const end = characterBoundary(bytes, start + MAX_LINE_BYTES);
      yield { start, textEnd: end, end, isPartial: true };
      start = end;
    } else if (newline !== -1) {
      const isCrLf = newline > start && bytes[newline - 1] === CARRIAGE_RETURN;
      yield { start, textEnd: isCrLf ? newline - 1 : newline, end: newline + 1, isPartial: false };
      start = newline + 1;
    } else {
      if (isFinal) yield { start, textEnd: bytes.length, end: bytes.length, isPartial: true };
      return;
    }
  }
}

/** Not within a character of UTF-8, as far as it is UTF-8: one has at most three bytes behind its first. */
function characterBoundary(bytes: Buffer, at: number): number {
  for (let back = 0; back <= 3; back += 1) {
    if (((bytes[at - back] ?? 0) & 0xc0) !== 0x80) return at - back;
  }
  return at;
}

export function countLines(bytes: Buffer): number {
  let lines = 0;
  for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) lines += 1;
  return lines;
}

/** Behind the last line break; 0 when there is none. */
export function endOfLastLine(bytes: Buffer): number {
  return bytes.lastIndexOf(NEWLINE) + 1;
}
