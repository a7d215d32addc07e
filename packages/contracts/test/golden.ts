import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BucketName, ValueOf } from '@muster/contracts';
import { type AgentRequest, type AgentVerb, type MessageOf, type RowName, type rows } from '@muster/contracts';
import { uuidv7 } from '@muster/contracts/bus';

const GOLDEN = join(import.meta.dirname, '../golden/v1');

/** `hostRollup1m` is in `host-rollup-1m.json`. */
export function fileOf(name: string): string {
  return name.replace(/[A-Z0-9]+/g, (part) => `-${part.toLowerCase()}`);
}

/** The golden file as it is, unchecked. */
export function golden(path: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(GOLDEN, `${path}.json`), 'utf8')) as Record<string, unknown>;
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
