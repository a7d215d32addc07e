/* The documents of the wire are what contracts says, they are valid, and what they say is true. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { generateDocuments } from '../src/reference/documents.ts';
import { DOCUMENTS, golden } from './golden.ts';

const DOCS_DIR = join(import.meta.dirname, '../../../docs');
const onDisk = (name: string): string => readFileSync(join(DOCS_DIR, name), 'utf8');
const generated = generateDocuments();

test.each(Object.entries(generated))('docs/%s is up to date (else: npm run docs)', (name, text) => {
  // All but prose is laid out by the formatter. JSON is YAML.
  const contents = (written: string): unknown => (name.endsWith('.md') ? written : parse(written));
  expect(contents(onDisk(name))).toEqual(contents(text));
});

describe('docs/asyncapi.yaml', () => {
  const document = parse(onDisk('asyncapi.yaml')) as Record<string, unknown>;

  test('is AsyncAPI 3.0', () => {
    const schemaFile = createRequire(import.meta.url).resolve('@asyncapi/specs/schemas/3.0.0-without-$id.json');
    const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
    const isValid = ajv.validate(JSON.parse(readFileSync(schemaFile, 'utf8')) as object, document);
    expect(ajv.errors ?? []).toEqual([]);
    expect(isValid).toBe(true);
  });

  test('says what is signed, packed, stored in order, and reserved', () => {
    const headersOf = (type: string) =>
      Object.keys(resolve(document, `#/components/messages/${type}/headers/properties`) ?? {});
    const signed = ['Muster-Signature', 'Muster-Grant'];
    const stored = ['Nats-Msg-Id', 'Nats-Expected-Last-Subject-Sequence'];
    expect(headersOf('InstanceTarget')).toEqual([...signed, 'Muster-Person']);
    expect(headersOf('ReplyEnvelope')).toEqual(signed);
    expect(headersOf('ClaimRequest')).toEqual(signed);
    expect(headersOf('Verdict')).toEqual([...signed, ...stored]);
    expect(headersOf('VerdictValue')).toEqual([]);
    expect(headersOf('RollupChunk')).toEqual(['Muster-Encoding', ...stored]);
    expect(headersOf('AgentPresence')).toEqual([]);
    const channels = resolve(document, '#/channels') as Record<string, { 'x-reserved'?: true }>;
    const reserved = Object.keys(channels).filter((name) => channels[name]?.['x-reserved']);
    expect(reserved).toEqual(
      expect.arrayContaining(['proberRollup1m', 'agent.scale', 'prober.test', 'bucket.silences']),
    );
    expect(reserved).not.toContain('agent.start');
  });

  test('shows an example of each message', () => {
    const messages = resolve(document, '#/components/messages') as Record<string, { examples?: object[] }>;
    expect(Object.keys(messages).filter((name) => messages[name]?.examples?.length !== 1)).toEqual([]);
  });

  test('every reference leads somewhere', () => {
    const refs: string[] = [];
    JSON.stringify(document, (key, value: unknown) => {
      if (key === '$ref') refs.push(String(value));
      return value;
    });
    expect(refs.length).toBeGreaterThan(200);
    expect(refs.filter((ref) => resolve(document, ref) === undefined)).toEqual([]);
  });
});

function resolve(document: unknown, ref: string): unknown {
  return ref
    .replace(/^#\//, '')
    .split('/')
    .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], document);
}

describe('docs/schemas/muster.v1.json', () => {
  const bundle = JSON.parse(onDisk('schemas/muster.v1.json')) as { $defs: Record<string, object> };
  const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, validateFormats: false });
  ajv.addSchema(bundle, 'muster');

  test.each(DOCUMENTS.map(({ type, golden: file }) => [file, type] as const))('%s is a valid %s', (file, type) => {
    const isValid = ajv.validate(`muster#/$defs/${type}`, golden(file));
    expect(ajv.errors ?? []).toEqual([]);
    expect(isValid).toBe(true);
  });

  test.each(DOCUMENTS.map(({ golden: file }) => file))('as a whole it takes %s', (file) => {
    expect(ajv.validate('muster', golden(file))).toBe(true);
  });

  test.each([{}, [], 'text', null, { id: 'x', time: '2026-03-01T12:00:00Z', source: 'agent/web1' }])(
    'as a whole it refuses %j',
    (nothing) => {
      expect(ajv.validate('muster', nothing)).toBe(false);
    },
  );

  test('says of what is reserved, and of nothing else, that it is', () => {
    const reserved = (type: string) => String(resolve(bundle, `#/$defs/${type}/description`)).startsWith('Reserved');
    expect(['ScaleRequest', 'PlanReply', 'Silence', 'Session'].filter(reserved)).toHaveLength(4);
    expect(['InstanceTarget', 'Verdict', 'RollupChunk', 'Grant', 'ConfigEntry'].filter(reserved)).toEqual([]);
  });

  test('explains its fields with the comments of the sources', () => {
    expect(resolve(bundle, '#/$defs/HostMetrics/properties/part/description')).toMatch(/^0-based/);
    expect(resolve(bundle, '#/$defs/AgentPresence/properties/eventLoopLagMs/description')).toMatch(/^How late/);
  });
});
