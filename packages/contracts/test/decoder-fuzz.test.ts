/*
 * Real messages, spoilt in every way that is cheap to think of. A decoder never throws and never hangs, and what it lets
 * through is a message: it can be sent on, and reads as itself.
 */
import { MAX_MESSAGE_BYTES } from '@muster/contracts';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { z } from 'zod';
import { decodeMessage, encodeMessage } from '../src/bus/codec.ts';
import { InvalidMessageError, MessageTooLargeError } from '../src/bus/errors.ts';
import { DOCUMENTS, golden } from './golden.ts';

/** Far more than a decode takes on a busy machine, far less than something that hangs. */
const DECODE_LIMIT_MS = 5_000;
const MARK = '\u{F8FF}here\u{F8FF}';

/** JSON text that stands where something else should. */
const FOREIGN_VALUES = [
  'null true 0 -1 1.5 -0 1e308 1e999 -1e999 9007199254740993 [] {} [[]] [null]'.split(' '),
  ['1'.repeat(400), `"${'x'.repeat(100_000)}"`, `[${'0,'.repeat(50_000)}0]`],
  ['""', '"NaN"', '"\\u0000"', '"\\ud800"', '"__proto__"', '"a b.c.*.>"', '"2026-02-30T25:61:61Z"'],
  ['{"__proto__":{"accepted":true}}', '{"constructor":{"prototype":{"ok":1}}}'],
  [31, 100, 10_000, 100_000].map((depth) => '['.repeat(depth) + ']'.repeat(depth)),
  [31, 100, 10_000].map((depth) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`),
].flat();

/** Where in a value something can be replaced. */
function placesOf(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, field]) => placesOf(field, [...path, key]))];
}

function replaced(value: unknown, [key, ...rest]: readonly string[], by: string): unknown {
  if (key === undefined) return by;
  const holder = structuredClone(value) as Record<string, unknown>;
  holder[key] = replaced(holder[key], rest, by);
  return holder;
}

/** One way of spoiling the text of a message. */
type Spoil = (any: fc.GeneratorValue, text: string) => string | Uint8Array;

const SPOILS: Readonly<Record<string, Spoil>> = {
  'a value is of another type': (any, text) => {
    const message: unknown = JSON.parse(text);
    const place = any(fc.constantFrom, ...placesOf(message));
    const spoilt = JSON.stringify(replaced(message, place, MARK));
    return spoilt.replace(JSON.stringify(MARK), () => any(fc.constantFrom, ...FOREIGN_VALUES));
  },
  'a field is there twice': (any, text) => {
    const keys = Object.keys(JSON.parse(text) as object);
    const twice = `${JSON.stringify(any(fc.constantFrom, ...keys))}:${any(fc.constantFrom, ...FOREIGN_VALUES)}`;
    return any(fc.boolean) ? `{${twice},${text.slice(1)}` : `${text.slice(0, -1)},${twice}}`;
  },
  'a field has a name of its own': (any, text) => {
    const name = any(fc.constantFrom, '__proto__', 'constructor', 'toString', 'hasOwnProperty', '', 'then', '$ref');
    return `{${JSON.stringify(name)}:${any(fc.constantFrom, ...FOREIGN_VALUES)},${text.slice(1)}`;
  },
  'it is cut short': (any, text) => text.slice(0, any(fc.nat, { max: text.length })),
  'bits are flipped': (any, text) => {
    const bytes = new TextEncoder().encode(text);
    for (const at of any(fc.array, fc.nat({ max: bytes.length * 8 - 1 }), { minLength: 1, maxLength: 8 })) {
      bytes[at >> 3] = (bytes[at >> 3] as number) ^ (1 << (at & 7));
    }
    return bytes;
  },
  'bytes are put in between': (any, text) => {
    const bytes = Buffer.from(text);
    const at = any(fc.nat, { max: bytes.length });
    return Buffer.concat([
      bytes.subarray(0, at),
      any(fc.uint8Array, { minLength: 1, maxLength: 64 }),
      bytes.subarray(at),
    ]);
  },
  'another one follows': (_any, text) => text + text,
  'it is as large as may be, or larger': (any, text) =>
    text.padEnd(MAX_MESSAGE_BYTES + any(fc.integer, { min: -1, max: 2 }), ' '),
};

/** What is wrong with how these bytes were decoded. */
function faultsOf(schema: z.ZodType, file: string, bytes: Uint8Array): readonly string[] {
  const startedAtMs = performance.now();
  const decoded = decodeMessage(schema, bytes);
  const faults = performance.now() - startedAtMs < DECODE_LIMIT_MS ? [] : ['it took too long'];
  if (!decoded.ok) {
    if (decoded.kind !== (bytes.length > MAX_MESSAGE_BYTES ? 'oversize' : 'malformed')) faults.push(decoded.kind);
    if (decoded.reason === '') faults.push('no reason is given');
    return faults;
  }
  // As text: a number too large for JSON is null in it.
  const again = decodeMessage(schema, encodeMessage(schema, file, decoded.message));
  if (JSON.stringify(again) !== JSON.stringify(decoded)) faults.push('it does not read as itself');
  if (Object.getPrototypeOf(decoded.message) !== Object.prototype) faults.push('it has a prototype of its own');
  return faults;
}

test.each(Object.entries(SPOILS))('%s', (_name, spoil) => {
  fc.assert(
    fc.property(fc.constantFrom(...DOCUMENTS), fc.gen(), ({ schema, golden: file }, any) => {
      const spoilt = spoil(any, JSON.stringify(golden(file)));
      const bytes = typeof spoilt === 'string' ? new TextEncoder().encode(spoilt) : spoilt;
      expect(faultsOf(schema, file, bytes)).toEqual([]);
    }),
    { numRuns: 800 },
  );
  expect(({} as Record<string, unknown>)['accepted'], 'no prototype was touched').toBeUndefined();
});

test.each(DOCUMENTS)('$golden: noise is no message', ({ schema }) => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 2_000 }),
        fc.json().map((text) => Buffer.from(text)),
      ),
      (bytes) => {
        expect(decodeMessage(schema, bytes)).toMatchObject({ ok: false, kind: 'malformed' });
      },
    ),
    { numRuns: 50 },
  );
});

test('a text that is too long is cut or refused, and never sent as it is', () => {
  let refused = 0;
  for (const { schema, golden: file } of DOCUMENTS) {
    const message = golden(file);
    for (const key of Object.keys(message)) {
      const large = { ...message, [key]: 'x'.repeat(MAX_MESSAGE_BYTES) };
      try {
        expect(encodeMessage(schema, file, large).length, `${file}: ${key}`).toBeLessThan(MAX_MESSAGE_BYTES / 4);
      } catch (error) {
        if (!(error instanceof InvalidMessageError || error instanceof MessageTooLargeError)) throw error;
        refused += 1;
      }
    }
  }
  expect(refused).toBeGreaterThan(50);
});
