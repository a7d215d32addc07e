import type { z } from 'zod';
import { type Bucket, type BucketName, buckets } from '../buckets.ts';
import * as contracts from '../index.ts';
import { commands, proberCommands, type RequestRow, type Row, rows } from '../rows.ts';

/** One document that travels: the name of its type, and the file below a folder of golden messages that shows it. */
export interface WireDocument {
  readonly type: string;
  readonly schema: z.ZodType;
  readonly golden: string;
}

export interface WireMessage {
  readonly name: string;
  readonly row: Row;
  readonly message: WireDocument;
}

export interface WireQuestion {
  /** `agent.start`: the responder and the verb. */
  readonly name: string;
  readonly verb: string;
  readonly row: RequestRow;
  readonly request: WireDocument;
  readonly reply: WireDocument;
}

export interface WireBucket {
  readonly name: BucketName;
  readonly bucket: Bucket;
  readonly value: WireDocument;
}

/** Everything that is ever on the wire, with its name: what the documents and the golden messages are made from. */
export interface Wire {
  readonly messages: readonly WireMessage[];
  readonly questions: readonly WireQuestion[];
  readonly buckets: readonly WireBucket[];
}

/** By the folder of their golden messages. */
const QUESTION_TABLES: Readonly<Record<string, Readonly<Record<string, RequestRow>>>> = {
  commands,
  'prober-commands': proberCommands,
};

/** The wire as the rows, commands and buckets have it. */
export function describeWire(): Wire {
  const names = new TypeNames();
  const messages = Object.entries<Row>(rows).map(([name, row]) => ({
    name,
    row,
    message: names.document(row.schema, pascal(name), `messages/${kebab(name)}`),
  }));
  const questions = Object.entries(QUESTION_TABLES).flatMap(([folder, table]) =>
    Object.entries(table).map(([verb, row]) => {
      const type = `${row.responder === 'agent' ? '' : pascal(row.responder)}${pascal(verb)}`;
      return {
        name: `${row.responder}.${verb}`,
        verb,
        row,
        request: names.document(row.request, `${type}Request`, `${folder}/${verb}.request`),
        reply: names.document(row.reply, `${type}Reply`, `${folder}/${verb}.reply`),
      };
    }),
  );
  const values = (Object.entries(buckets) as [BucketName, Bucket][]).map(([name, bucket]) => ({
    name,
    bucket,
    value: names.document(bucket.schema, `${pascal(name)}Value`, `buckets/${name}`),
  }));
  return { messages, questions, buckets: values };
}

/** Every document of the wire, each kind once. */
export function documentsOf({ messages, questions, buckets: values }: Wire): readonly WireDocument[] {
  return [
    ...messages.map(({ message }) => message),
    ...values.map(({ value }) => value),
    ...questions.flatMap(({ request, reply }) => [request, reply]),
  ];
}

/** What stands in headers and within questions, signed by itself. */
export const SIGNED_TYPES = ['Grant', 'PersonGrant', 'RevocationList'] as const;

/** Types of what nothing uses yet, and of nothing else. */
export function reservedTypes({ messages, questions, buckets: values }: Wire): ReadonlySet<string> {
  const uses = [
    ...messages.map(({ row, message }) => ({ types: [message.type], isReserved: row.isReserved ?? false })),
    ...questions.map(({ row, request, reply }) => ({
      types: [request.type, reply.type],
      isReserved: row.isReserved ?? false,
    })),
    ...values.map(({ value, bucket }) => ({ types: [value.type], isReserved: bucket.isReserved })),
  ];
  const used = new Set(uses.filter(({ isReserved }) => !isReserved).flatMap(({ types }) => types));
  return new Set(uses.flatMap(({ types }) => types).filter((type) => !used.has(type)));
}

/** Schemas that contracts exports, by their names there. */
export function exportedSchemas(): ReadonlyMap<string, z.ZodType> {
  return new Map(
    Object.entries(contracts).flatMap(([name, value]): [string, z.ZodType][] =>
      typeof value === 'object' && '_zod' in value ? [[name, value]] : [],
    ),
  );
}

/** A schema is named as it is exported, else after its first use. */
class TypeNames {
  readonly #names = new Map([...exportedSchemas()].map(([name, schema]) => [schema, name]));

  document(schema: z.ZodType, fallback: string, golden: string): WireDocument {
    const type = this.#names.get(schema) ?? fallback;
    this.#names.set(schema, type);
    return { type, schema, golden };
  }
}

function pascal(name: string): string {
  return name.replace(/(?:^|-)([a-z])/g, (_match, letter: string) => letter.toUpperCase());
}

/** `hostRollup1m` is in `host-rollup-1m.json`. */
function kebab(name: string): string {
  return name.replace(/[A-Z0-9]+/g, (part) => `-${part.toLowerCase()}`);
}
