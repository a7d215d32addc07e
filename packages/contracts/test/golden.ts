import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type AgentReply,
  type AgentRequest,
  type AgentVerb,
  type Bucket,
  type BucketName,
  buckets,
  commands,
  type MessageOf,
  type RowName,
  rows,
  type ValueOf,
} from '@muster/contracts';
import { uuidv7 } from '@muster/contracts/bus';
import { type Names, type NameValues, paramsIn } from '../src/names.ts';
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

/** A valid message of a row, to be sent by tests; with `params` on the subject that they make. */
export function sample<N extends RowName>(name: N, params: NameValues = {}): MessageOf<(typeof rows)[N]> {
  return agreeing(rows[name].names, params, golden(`messages/${fileOf(name)}`)) as MessageOf<(typeof rows)[N]>;
}

/** With what `values` say, wherever the message says it again. */
export function agreeing(names: Names, values: NameValues, message: object): Record<string, unknown> {
  const copy = structuredClone(message) as Record<string, unknown>;
  for (const [path, forms] of Object.entries(names)) {
    const [form = ''] = typeof forms === 'string' ? [forms] : forms;
    if (form.endsWith('*') || paramsIn(form).some((param) => values[param] === undefined)) continue;
    const text = form.replace(/\{(\w+)\}/g, (_whole, param: string) => String(values[param]));
    change(copy, path.split('.'), (old) => (typeof old === 'number' ? Number(text) : text));
  }
  return copy;
}

/** Changes what is there at a path such as `votes[].vantage.id`; nothing where it is not. */
export function change(holder: unknown, [step = '', ...rest]: readonly string[], to: (old: unknown) => unknown): void {
  if (typeof holder !== 'object' || holder === null) return;
  const fields = holder as Record<string, unknown>;
  const field = step.replace('[]', '');
  if (fields[field] === undefined) return;
  if (step.endsWith('[]')) for (const item of fields[field] as readonly unknown[]) change(item, rest, to);
  else if (rest.length > 0) change(fields[field], rest, to);
  else fields[field] = to(fields[field]);
}

export function sampleValue<B extends BucketName>(name: B): ValueOf<B> {
  return golden(`buckets/${name}`) as ValueOf<B>;
}

/** A valid answer, as the agent of `host` gives it. */
export function sampleReply<V extends AgentVerb>(verb: V, host: string): AgentReply<V> {
  const { reply } = commands[verb].names;
  return agreeing(reply, { host, signer: `agent/${host}` }, golden(`commands/${verb}.reply`)) as AgentReply<V>;
}

/** A key of this bucket, as its golden value has it. */
export function sampleKey(name: BucketName): string {
  const value = golden(`buckets/${name}`);
  const about = (value['data'] ?? value) as NameValues;
  const { key = 'a' }: Bucket = buckets[name];
  return key.replace(/\{(\w+)\}/g, (_whole, param: string) => `${(about[param] ?? param) as string | number}`);
}

/** Under an id of its own, as every question is: the same bytes count once. `source` is who asks. */
export function sampleRequest<V extends AgentVerb>(verb: V, source = 'operator/ada'): AgentRequest<V> {
  return { ...golden(`commands/${verb}.request`), id: uuidv7(), source } as AgentRequest<V>;
}
