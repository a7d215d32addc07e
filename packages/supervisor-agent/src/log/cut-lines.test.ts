import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { countLines, cutLines, endOfLastLine, MAX_LINE_BYTES } from './cut-lines.ts';

function textsOf(bytes: Buffer, isFinal = true): string[] {
  return [...cutLines(bytes, isFinal)].map(({ start, textEnd }) => bytes.toString('utf8', start, textEnd));
}

test('lines end with LF or CRLF; the rest waits until it has an end, or nothing more comes', () => {
  const bytes = Buffer.from('a\nb\r\n\n\rc\nrest');
  expect(textsOf(bytes, false)).toEqual(['a', 'b', '', '\rc']);
  expect(textsOf(bytes)).toEqual(['a', 'b', '', '\rc', 'rest']);
  expect([...cutLines(Buffer.from('rest'), true)]).toEqual([{ start: 0, textEnd: 4, end: 4, isPartial: true }]);
});

test('a line that is too long goes on in a next one, and says so; no character is cut in two', () => {
  const line = `${'x'.repeat(MAX_LINE_BYTES - 1)}é${'y'.repeat(10)}`;
  const pieces = [...cutLines(Buffer.from(`${line}\nnext\n`), false)];
  expect(pieces.map(({ isPartial }) => isPartial)).toEqual([true, false, false]);
  expect(textsOf(Buffer.from(`${line}\n`)).join('')).toBe(line);
  expect(textsOf(Buffer.from(`${line}\n`))[1]).toBe(`é${'y'.repeat(10)}`);
});

test('what is no UTF-8 is cut all the same', () => {
  const bytes = Buffer.concat([Buffer.alloc(MAX_LINE_BYTES + 5, 0x80), Buffer.from('\n')]);
  expect([...cutLines(bytes, false)].map(({ end }) => end)).toEqual([MAX_LINE_BYTES, MAX_LINE_BYTES + 6]);
});

const chunk = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 20 }).map((text) => new TextEncoder().encode(`${text}\r\n`)),
  fc.integer({ min: MAX_LINE_BYTES - 3, max: MAX_LINE_BYTES + 3 }).map((length) => new Uint8Array(length).fill(0x61)),
  fc.integer({ min: 1, max: 3 * MAX_LINE_BYTES }).map((length) => new Uint8Array(length).fill(0xa9)),
  fc.constant(new Uint8Array([0x0a])),
);

test('wherever reading stops and goes on, the lines are the same, and cover each byte once', () => {
  fc.assert(
    fc.property(fc.array(chunk, { maxLength: 12 }), fc.array(fc.nat(), { maxLength: 8 }), (chunks, stops) => {
      const bytes = Buffer.concat(chunks);
      const whole = [...cutLines(bytes, true)];
      expect(whole[0]?.start ?? 0).toBe(0);
      for (const [i, piece] of whole.entries()) expect(piece.end).toBe(whole[i + 1]?.start ?? bytes.length);

      const ends = [...stops.map((stop) => stop % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
      const stepwise: typeof whole = [];
      let at = 0;
      for (const [i, end] of ends.entries()) {
        for (const piece of cutLines(bytes.subarray(at, end), i === ends.length - 1)) {
          const { start, textEnd, end: pieceEnd, isPartial } = piece;
          stepwise.push({ start: at + start, textEnd: at + textEnd, end: at + pieceEnd, isPartial });
        }
        at = stepwise.at(-1)?.end ?? 0;
      }
      expect(stepwise).toEqual(whole);
    }),
    { numRuns: 300 },
  );
});

test('counting', () => {
  expect(countLines(Buffer.from('a\n\nb'))).toBe(2);
  expect(endOfLastLine(Buffer.from('a\n\nb'))).toBe(3);
  expect(endOfLastLine(Buffer.from('ab'))).toBe(0);
});
