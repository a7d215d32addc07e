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

  test('explains its fields with the comments of the sources', () => {
    expect(resolve(bundle, '#/$defs/HostMetrics/properties/part/description')).toMatch(/^0-based/);
    expect(resolve(bundle, '#/$defs/AgentPresence/properties/eventLoopLagMs/description')).toMatch(/^How late/);
  });
});
