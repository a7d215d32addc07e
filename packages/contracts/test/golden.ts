import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentRequest, AgentVerb, BucketName, MessageOf, RowName, rows, ValueOf } from '@muster/contracts';
import { uuidv7 } from '@muster/contracts/bus';
import type { FrozenVersion } from '../src/reference/documents.ts';
import { describeWire, documentsOf } from '../src/reference/wire.ts';

const GOLDEN = join(import.meta.dirname, '../golden');

/** Every kind of thing on the wire, with the file that shows it. A missing file fails its row. */
export const DOCUMENTS = documentsOf(describeWire());

/** `hostRollup1m` is in `host-rollup-1m.json`. */
export function fileOf(name: string): string {
  return name.replace(/[A-Z0-9]+/g, (part) => `-${part.toLowerCase()}`);
}

/** The golden file as it is, unchecked. */
export function golden(path: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(GOLDEN, 'v1', `${path}.json`), 'utf8')) as Record<string, unknown>;
}

/** The versions that were released, by their names: their golden messages, and what their readers accept. */
export function frozenVersions(): readonly (FrozenVersion & { readonly name: string; readonly text: string })[] {
  const files = readdirSync(join(GOLDEN, 'frozen')).filter((file) => file.endsWith('.json'));
  return files.map((file) => {
    const text = readFileSync(join(GOLDEN, 'frozen', file), 'utf8');
    return { name: file.replace(/\.json$/, ''), text, ...(JSON.parse(text) as FrozenVersion) };
  });
}

/** A valid message of a row, to be sent by tests. */
export function sample<N extends RowName>(name: N): MessageOf<(typeof rows)[N]> {
  return golden(`messages/${fileOf(name)}`) as MessageOf<(typeof rows)[N]>;
}

export function sampleValue<B extends BucketName>(name: B): ValueOf<B> {
  return golden(`buckets/${name}`) as ValueOf<B>;
}

/** Under an id of its own, as every question is: the same bytes count once. */
export function sampleRequest<V extends AgentVerb>(verb: V): AgentRequest<V> {
  return { ...golden(`commands/${verb}.request`), id: uuidv7() } as AgentRequest<V>;
}
