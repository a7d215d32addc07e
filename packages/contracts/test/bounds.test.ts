/*
 * Every text, list, map and number that travels has a maximum. All schemas of the wire are walked, so that a new field
 * without one fails here; and what is as large as its schema lets it be fits into its row or bucket.
 */
import {
  buckets,
  commands,
  Grant,
  proberCommands,
  type RequestRow,
  RevocationList,
  type Row,
  rows,
} from '@muster/contracts';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { AnyValue } from '../src/any-value.ts';
import { boundedRecord, cutText, jsonBytes, prose, Reason } from '../src/bounds.ts';
import { decodeMessage, encodeMessage } from '../src/bus/codec.ts';
import { golden } from './golden.ts';

const REQUESTS: readonly (readonly [string, RequestRow])[] = Object.entries({ ...commands, ...proberCommands });
const SCHEMAS: readonly (readonly [string, z.core.$ZodType])[] = [
  ...Object.entries<Row>(rows).map(([name, { schema }]) => [name, schema] as const),
  ...Object.entries(buckets).map(([name, { schema }]) => [`bucket ${name}`, schema] as const),
  ...REQUESTS.flatMap(([verb, { request, reply }]) => [
    [`${verb} request`, request] as const,
    [`${verb} reply`, reply] as const,
  ]),
  ['grant', Grant],
  ['list of revoked keys', RevocationList],
];

/** A definition of zod's, as far as it is looked into. */
type Definition = { readonly type: string; readonly checks?: readonly z.core.$ZodCheck[] } & Readonly<
  Record<string, z.core.$ZodType & readonly z.core.$ZodType[] & Readonly<Record<string, z.core.$ZodType>>>
>;

function definitionOf(schema: z.core.$ZodType): Definition {
  return schema._zod.def as unknown as Definition;
}

/** From where to where a number goes, or how long a text or list may be. */
function boundsOf({ checks = [] }: Definition): { minimum: number; maximum: number } {
  let minimum = Number.NEGATIVE_INFINITY;
  let maximum = Number.POSITIVE_INFINITY;
  for (const { _zod } of checks) {
    const def = _zod.def as unknown as { check: string; value: number; maximum: number };
    if (def.check === 'greater_than') minimum = def.value;
    if (def.check === 'less_than') maximum = def.value;
    if (def.check === 'max_length') maximum = def.maximum;
  }
  return { minimum, maximum };
}

function maxKeysOf(schema: z.core.$ZodType): number | undefined {
  return (z.globalRegistry.get(schema) as { maxProperties?: number } | undefined)?.maxProperties;
}

/** What has no maximum, by its path. */
function unbounded(schema: z.core.$ZodType, path = '$'): readonly string[] {
  if (schema === AnyValue) return [];
  const of = definitionOf(schema);
  const { minimum, maximum } = boundsOf(of);
  switch (of.type) {
    case 'string':
      return maximum === Number.POSITIVE_INFINITY ? [`${path}: a text`] : [];
    case 'number':
      return Number.isFinite(minimum) && Number.isFinite(maximum) ? [] : [`${path}: a number`];
    case 'boolean':
    case 'enum':
    case 'literal':
    case 'null':
      return [];
    case 'array':
      return [
        ...(maximum === Number.POSITIVE_INFINITY ? [`${path}: a list`] : []),
        ...unbounded(inner(of, 'element'), `${path}[]`),
      ];
    case 'record': {
      return [
        ...(maxKeysOf(schema) === undefined ? [`${path}: a map`] : []),
        ...unbounded(inner(of, 'keyType'), `${path}{key}`),
        ...unbounded(inner(of, 'valueType'), `${path}{}`),
      ];
    }
    case 'object':
      return Object.entries(of['shape'] ?? {}).flatMap(([name, field]) => unbounded(field, `${path}.${name}`));
    case 'union':
      return (of['options'] ?? []).flatMap((option) => unbounded(option, path));
    case 'optional':
    case 'nullable':
    case 'catch':
    case 'default':
      return unbounded(inner(of, 'innerType'), path);
    default:
      return [`${path}: what a '${of.type}' is bounded by is not known here`];
  }
}

test.each(SCHEMAS)('%s: everything in it has a maximum', (_name, schema) => {
  expect(unbounded(schema)).toEqual([]);
});

test.each([
  ['a text', z.string()],
  ['a number', z.number().min(0)],
  ['a whole number', z.int().min(0)],
  ['a list', z.array(z.boolean())],
  ['a map', z.record(z.string().max(3), z.boolean())],
  ["a map's key", boundedRecord(z.boolean(), 3, z.string())],
  ['anything', z.unknown()],
])('%s without one is found', (_what, field) => {
  expect(unbounded(z.object({ deep: z.array(z.object({ field: field.optional() })).max(1) }))).toHaveLength(1);
});

describe('a text for people', () => {
  test.each([
    ['plain', 'x'.repeat(1_000_000)],
    ['quotes', '"'.repeat(5_000)],
    ['control characters', '\u0007'.repeat(3_000)],
    ['three bytes each', '語'.repeat(2_000)],
    ['surrogates', '🔑'.repeat(2_000)],
    ['half surrogates', '\ud83d'.repeat(2_000)],
  ])('of %s is cut, so that it fits as JSON', (_what, text) => {
    const cut = Reason.parse(text);
    expect(Buffer.byteLength(JSON.stringify(cut))).toBeLessThanOrEqual(4_096 + 2);
    expect(Buffer.byteLength(JSON.stringify(cut))).toBeGreaterThan(4_080);
    expect(cut).toMatch(/…$/);
    expect(jsonBytes(cut)).toBe(Buffer.byteLength(JSON.stringify(cut)) - 2);
    expect(Reason.parse(cut)).toBe(cut);
  });

  test('that has room stays as it is', () => {
    expect(cutText('x'.repeat(100), 100)).toBe('x'.repeat(100));
    expect(prose(3).parse('abc')).toBe('abc');
    expect(prose(5).parse('abcdef')).toBe('ab…');
  });
});

/** As large as its schema lets it be; of lists, as many as there may be. */
const FULL: readonly (readonly [name: string, file: string, where: { schema: z.ZodType; maxBytes: number }])[] = [
  ['status', 'buckets/status', buckets.status],
  ['specs', 'buckets/specs', buckets.specs],
  ['alerts', 'buckets/alerts', buckets.alerts],
  ['health', 'buckets/health', buckets.health],
  ['instanceEvent', 'messages/instance-event', rows.instanceEvent],
  ['hostEvent', 'messages/host-event', rows.hostEvent],
  ['hostAudit', 'messages/host-audit', rows.hostAudit],
  ['instanceProbe', 'messages/instance-probe', rows.instanceProbe],
  ['hostPresence', 'messages/host-presence', rows.hostPresence],
];

test.each(FULL)('%s: as full as may be, it fits', (_name, file, { schema, maxBytes }) => {
  const full = fill(schema, golden(file));
  const bytes = encodeMessage(schema, file, full as never, maxBytes);
  expect(bytes.length).toBeGreaterThan(1_000);
  expect(decodeMessage(schema, bytes, { maxBytes })).toMatchObject({ ok: true });
});

function fill(schema: z.core.$ZodType, example: unknown): unknown {
  const of = definitionOf(schema);
  const { maximum } = boundsOf(of);
  const fields = (example ?? {}) as Readonly<Record<string, unknown>>;
  switch (of.type) {
    case 'string': {
      const long = 'x'.repeat(maximum);
      return z.safeParse(schema, long).success ? long : example;
    }
    case 'number':
      return maximum;
    case 'array':
      return Array.from({ length: maximum }, () => fill(inner(of, 'element'), fields[0]));
    case 'record': {
      const key = 'k'.repeat(boundsOf(definitionOf(inner(of, 'keyType'))).maximum - 4);
      const keys = Array.from({ length: maxKeysOf(schema) ?? 0 }, (_, i) => `${key}${1_000 + i}`);
      return Object.fromEntries(keys.map((each) => [each, fill(inner(of, 'valueType'), '')]));
    }
    case 'object':
      return Object.fromEntries(
        Object.entries(of['shape'] ?? {}).map(([name, field]) => [name, fill(field, fields[name])]),
      );
    case 'union':
      return fill(of['options']?.at(-1) as z.core.$ZodType, example);
    case 'optional':
      return example === undefined ? undefined : fill(inner(of, 'innerType'), example);
    case 'nullable':
    case 'catch':
      return fill(inner(of, 'innerType'), example);
    default:
      return example;
  }
}

function inner(of: Definition, field: string): z.core.$ZodType {
  return of[field] as z.core.$ZodType;
}
