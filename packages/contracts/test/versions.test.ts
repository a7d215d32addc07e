/*
 * Older and newer read each other. `golden/frozen` keeps the wire of each released version: today's reader reads what
 * they sent, and their readers, by the schemas of their time, accept what is sent today.
 */
import { createHash } from 'node:crypto';
import { Ajv2020 } from 'ajv/dist/2020.js';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeMessage } from '../src/bus/codec.ts';
import { DocComments } from '../src/reference/doc-comments.ts';
import { freeze } from '../src/reference/documents.ts';
import { type JsonSchema, nameOfRef, openWordsOf, typeDefinitions } from '../src/reference/json-schemas.ts';
import { describeWire } from '../src/reference/wire.ts';
import { DOCUMENTS, frozenVersions, golden } from './golden.ts';

/** What is frozen stays as it is: a change of the wire must fit all of it. A release adds its row; there was none yet. */
const DIGESTS: Readonly<Record<string, string>> = {};

test('what is frozen has not been changed', () => {
  const digests = frozenVersions().map(({ name, text }) => [name, createHash('sha256').update(text).digest('hex')]);
  expect(Object.fromEntries(digests)).toEqual(DIGESTS);
});

/** Today's as well, as it would be frozen: what is tried on released versions works. */
const TODAY = { name: 'today', ...freeze(() => false) };

describe.each([...frozenVersions(), TODAY])('$name', ({ messages, $defs }) => {
  const kinds = Object.entries(messages);

  test.each(kinds)('today reads its %s', (file, { message }) => {
    const schema = DOCUMENTS.find((document) => document.golden === file)?.schema;
    if (schema === undefined) throw new Error(`${file} is no longer on the wire`);
    expect(decodeMessage(schema, encode(message))).toMatchObject({ ok: true, message });
  });

  test.each(kinds)('it reads %s of today', (file, { type }) => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    const isRead = ajv.validate({ $ref: `#/$defs/${type}`, $defs }, golden(file));
    expect(ajv.errors ?? []).toEqual([]);
    expect(isRead).toBe(true);
  });
});

test('whatever a later version adds, the message is read and means the same', () => {
  const definitions = typeDefinitions(describeWire(), '#/$defs/', new DocComments(import.meta.dirname));
  fc.assert(
    fc.property(fc.constantFrom(...DOCUMENTS), fc.gen(), ({ type, schema, golden: file }, any) => {
      const { sent, meant } = later(any, definitions, definitions[type] as JsonSchema, golden(file));
      expect(decodeMessage(schema, encode(sent))).toEqual({ ok: true, message: meant });
    }),
    { numRuns: 1_000 },
  );
});

function encode(message: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(message));
}

const COINED_LATER = ['coined-later', '', 'UNKNOWN', 'a b', '\u0000', '__proto__'] as const;
const ADDED_LATER: readonly object[] = [
  {},
  { addedLater: null },
  { addedLater: { of: ['any', 'kind', { deep: 1e308 }] }, $also: '', constructor: { prototype: true } },
  JSON.parse('{"__proto__":{"accepted":true},"0":[]}') as object,
];

/** The value as a later version may send it, with further fields and words, and what this version must make of it. */
function later(
  any: fc.GeneratorValue,
  definitions: Readonly<Record<string, JsonSchema>>,
  schema: JsonSchema,
  value: unknown,
): { readonly sent: unknown; readonly meant: unknown } {
  const { $ref, items, properties, additionalProperties } = schema;
  if ($ref !== undefined) return later(any, definitions, definitions[nameOfRef($ref)] as JsonSchema, value);
  if (openWordsOf(schema) !== undefined && any(fc.boolean)) {
    return { sent: any(fc.constantFrom, ...COINED_LATER), meant: schema.default };
  }
  if (Array.isArray(value) && items !== undefined) {
    const pairs = value.map((item) => later(any, definitions, items, item));
    return { sent: pairs.map(({ sent }) => sent), meant: pairs.map(({ meant }) => meant) };
  }
  if (properties === undefined) return { sent: value, meant: value };
  const pairs = Object.entries(value as Record<string, unknown>).map(
    ([key, field]) => [key, later(any, definitions, properties[key] ?? {}, field)] as const,
  );
  const added = additionalProperties === undefined ? any(fc.constantFrom, ...ADDED_LATER) : {};
  return {
    sent: { ...added, ...Object.fromEntries(pairs.map(([key, { sent }]) => [key, sent])) },
    meant: Object.fromEntries(pairs.map(([key, { meant }]) => [key, meant])),
  };
}
