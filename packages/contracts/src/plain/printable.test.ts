import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseShown, printable, printableJson, printableLine, printableLines } from './printable.js';

const ESC = '\u001B';

test.each([
  ['cursor and screen', `a${ESC}[2Jb${ESC}[1;1H`, 'a\u{FFFD}[2Jb\u{FFFD}[1;1H'],
  ['the title of the terminal', `a${ESC}]0;x\u0007b`, 'a\u{FFFD}]0;x\u{FFFD}b'],
  ['C1', 'a\u009B2Jb\u0085c', 'a\u{FFFD}2Jb\u{FFFD}c'],
  ['DEL', 'a\u007Fb', 'a\u{FFFD}b'],
  ['directions', 'a\u202Eb\u2066c\u200Fd\u061C', 'a\u{FFFD}b\u{FFFD}c\u{FFFD}d\u{FFFD}'],
  ['no width', 'a\u200Bb\u200Dc\u2060d\u00ADe', 'a\u{FFFD}b\u{FFFD}c\u{FFFD}d\u{FFFD}e'],
  ['letters that show nothing', 'a\u3164b\u115Fc\uFFA0d\u034Fe', 'a\u{FFFD}b\u{FFFD}c\u{FFFD}d\u{FFFD}e'],
  ['tags', 'a\u{E0041}b\u{E0100}c', 'a\u{FFFD}b\u{FFFD}c'],
  ['half a character', 'a\uD83Db', 'a\u{FFFD}b'],
  ['nobody knows what', 'a\uE000b\u{10FFFF}c', 'a\u{FFFD}b\u{FFFD}c'],
  ['lines', 'a\nb\r\nc\u2028d\u0085', 'a b c d\u{FFFD}'],
  ['colours', `${ESC}[1;31mred${ESC}[0m`, 'red'],
  ['towers', `a${'\u0301'.repeat(50)}`, `a${'\u0301'.repeat(6)}`],
  ['what is fine', 'Größe ≥ 3 日本語 ⚠️ 🙂 שלום नमस्ते', 'Größe ≥ 3 日本語 ⚠️ 🙂 שלום नमस्ते'],
])('%s', (_name, text, shown) => {
  expect(printable(text)).toBe(shown);
});

test('a line of a log keeps its tabs and spaces, a text its lines', () => {
  expect(printableLine('\ta  b\rc')).toBe('\ta  b\u{FFFD}c');
  expect(printableLines('a\n\tb\r\n\u0007c')).toBe('a\n\tb\n\u{FFFD}c');
});

test('whatever comes, nothing hidden is left, and it stays as it is', () => {
  const unit = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 3 }),
    fc.nat(0x10ffff).map((code) => String.fromCodePoint(code)),
    fc.nat(0xffff).map((code) => String.fromCharCode(code)),
    fc.constantFrom(`${ESC}[31m`, `${ESC}${ESC}[0m[0m`, '\r\n', '\u202E'),
  );
  fc.assert(
    fc.property(fc.array(unit), (units) => {
      const text = units.join('');
      for (const show of [printable, printableLine]) {
        expect(show(text).replaceAll('\t', '')).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
        expect(show(show(text))).toBe(show(text));
      }
      const json = printableJson({ text });
      expect(json).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
      expect(JSON.parse(json)).toEqual({ text });
    }),
    { numRuns: 500 },
  );
});

test('what a page gets is shown as it may be, however deep it is', () => {
  const value = { a: ['x\u202E', { b: 'fine', c: 1, d: null }], 'k.0': `${ESC}[2J` };
  expect(parseShown(JSON.stringify(value))).toEqual({
    a: ['x\u{FFFD}', { b: 'fine', c: 1, d: null }],
    'k.0': '\u{FFFD}[2J',
  });
});
