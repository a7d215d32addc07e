import { buckets, commands, proberCommands, type RequestRow, rows } from '@muster/contracts';
import { describe, expect, test } from 'vitest';
import type { z } from 'zod';
import { decodeMessage, encodeMessage } from '../src/bus/codec.ts';
import { fileOf, golden } from './golden.ts';

/** Every kind of thing on the wire, with the file that shows it. A missing file fails its row. */
const ALL: readonly (readonly [file: string, schema: z.ZodType])[] = [
  ...Object.entries(rows).map(([name, { schema }]) => [`messages/${fileOf(name)}`, schema] as const),
  ...Object.entries(buckets).map(([name, { schema }]) => [`buckets/${name}`, schema] as const),
  ...requests('commands', commands),
  ...requests('prober-commands', proberCommands),
];

function requests(folder: string, table: Readonly<Record<string, RequestRow>>) {
  return Object.entries(table).flatMap(([verb, { request, reply }]) => [
    [`${folder}/${verb}.request`, request] as const,
    [`${folder}/${verb}.reply`, reply] as const,
  ]);
}

describe.each(ALL)('%s', (file, schema) => {
  test('is read, and comes back as it was sent', () => {
    const message = golden(file);
    expect(schema.parse(message)).toEqual(message);
    expect(decodeMessage(schema, encodeMessage(schema, file, message))).toEqual({ ok: true, message });
  });

  test('of a newer sender, with a field unknown here, is read', () => {
    const message = golden(file);
    expect(schema.parse({ ...message, addedLater: { of: 'any kind' } })).toMatchObject(message);
  });

  test('without a field it must have is refused with the name of the field', () => {
    const { id: _id, ...rest } = golden(file);
    const decoded = decodeMessage(schema, new TextEncoder().encode(JSON.stringify(rest)));
    expect(decoded).toMatchObject({ ok: false, kind: 'malformed', reason: expect.stringMatching(/^id: /) });
  });
});

const WORDS: readonly (readonly [file: string, path: readonly string[]])[] = [
  ['messages/instance-event', ['to']],
  ['messages/instance-event', ['ready']],
  ['messages/host-event', ['kind']],
  ['messages/instance-probe', ['status']],
  ['messages/instance-probe', ['reason']],
  ['messages/instance-probe', ['vantage', 'kind']],
  ['messages/health', ['verdict']],
  ['messages/alert', ['data', 'state']],
  ['buckets/status', ['state']],
  ['buckets/specs', ['type']],
  ['commands/start.reply', ['code']],
];

test.each(WORDS)('%s: a word unknown here at %j reads as unknown', (file, path) => {
  const schema = new Map(ALL).get(file) as z.ZodType;
  const message = golden(file);
  let holder = message;
  for (const step of path.slice(0, -1)) holder = holder[step] as Record<string, unknown>;
  const last = path.at(-1) as string;
  holder[last] = 'coined-later';
  const read = schema.parse(message) as Record<string, unknown>;
  expect(path.reduce<unknown>((value, step) => (value as Record<string, unknown>)[step], read)).toBe('unknown');
});
