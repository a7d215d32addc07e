import { z } from 'zod';
import type { DocComments } from './doc-comments.ts';
import { documentsOf, exportedSchemas, reservedTypes, SIGNED_TYPES, type Wire } from './wire.ts';

/** A JSON Schema, as far as the documents look into it. */
export interface JsonSchema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly anyOf?: readonly JsonSchema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly format?: string;
  readonly pattern?: string;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
}

/** Begins the description of what is in the grammar only. */
export const RESERVED = 'Reserved: nothing sends or obeys it yet, and it may still change.';

/** What a member of `anyOf` says that stands for every word that a later version coins. */
const LATER_WORD = 'Any other word was coined later: it reads as';

/**
 * Each type of the wire as a JSON Schema (draft 2020-12) by its name; `refPrefix` is what a name follows in a `$ref`. They
 * accept what a reader accepts: objects are open, and so are lists of words that a reader takes an unknown one for.
 */
export function typeDefinitions(
  wire: Wire,
  refPrefix: string,
  docs: DocComments,
): Readonly<Record<string, JsonSchema>> {
  const documents = documentsOf(wire);
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of exportedSchemas()) registry.add(schema, { id });
  for (const { type: id, schema } of documents) if (!registry.has(schema)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, {
    io: 'input',
    uri: (id) => refPrefix + id,
    override: ({ zodSchema, jsonSchema }) => {
      const { type } = zodSchema._zod.def;
      if (type === 'catch') openWords(jsonSchema);
      // The pattern says no more than the format and the Z, at great length.
      if (jsonSchema.format === 'date-time') jsonSchema.pattern = 'Z$';
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    },
  });
  const used = reachable(schemas as Readonly<Record<string, JsonSchema>>, refPrefix, [
    ...documents.map(({ type }) => type),
    ...SIGNED_TYPES,
  ]);
  const reserved = reservedTypes(wire);
  return Object.fromEntries(
    [...used]
      .sort()
      .map((name) => [name, describeType(name, schemas[name] as Record<string, unknown>, docs, reserved.has(name))]),
  );
}

function openWords(schema: Record<string, unknown>): void {
  if (!('enum' in schema)) return;
  const { enum: words, default: otherwise } = schema;
  for (const key of ['enum', 'type']) delete schema[key];
  schema['anyOf'] = [{ enum: words }, { type: 'string', description: `${LATER_WORD} \`${String(otherwise)}\`.` }];
}

/** The words of a list that is open for those coined later; `undefined` when it is none. */
export function openWordsOf({ anyOf = [] }: JsonSchema): readonly unknown[] | undefined {
  const [words, later] = anyOf;
  return later?.description?.startsWith(LATER_WORD) ? words?.enum : undefined;
}

/** The name that a `$ref` leads to. */
export function nameOfRef(ref: string): string {
  return ref.slice(ref.lastIndexOf('/') + 1);
}

function reachable(
  schemas: Readonly<Record<string, JsonSchema>>,
  refPrefix: string,
  roots: readonly string[],
): ReadonlySet<string> {
  const found = new Set<string>();
  const visit = (name: string): void => {
    if (found.has(name)) return;
    found.add(name);
    JSON.stringify(schemas[name], (key, value: unknown) => {
      if (key === '$ref' && typeof value === 'string' && value.startsWith(refPrefix)) visit(nameOfRef(value));
      return value;
    });
  };
  for (const root of roots) visit(root);
  return found;
}

/** With the doc comments of the schema and its fields, and without what belongs to a document of its own. */
function describeType(
  name: string,
  { $schema: _dialect, $id: _id, ...schema }: Record<string, unknown>,
  docs: DocComments,
  isReserved: boolean,
): JsonSchema {
  // Questions have no declaration of their own: what all of them carry is explained with the envelope.
  const declaration =
    docs.isDeclared(name) || !/(Request|Reply)$/.test(name)
      ? name
      : name.endsWith('Request')
        ? 'CommandEnvelope'
        : 'ReplyEnvelope';
  const about =
    [isReserved ? RESERVED : undefined, docs.of(name)].filter((part) => part !== undefined).join(' ') || undefined;
  return { ...(about !== undefined && { description: about }), ...describeFields(schema, declaration, docs) };
}

function describeFields(schema: JsonSchema, declaration: string, docs: DocComments): JsonSchema {
  const { properties, items } = schema;
  return {
    ...schema,
    ...(items !== undefined && { items: describeFields(items, declaration, docs) }),
    ...(properties !== undefined && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([field, of]) => {
          const about = docs.ofField(declaration, field);
          return [
            field,
            { ...(about !== undefined && { description: about }), ...describeFields(of, declaration, docs) },
          ];
        }),
      ),
    }),
  };
}

/** `docs/schemas/muster.v1.json`: every type of the wire in one document, each below `$defs`; itself it is any of them. */
export function schemaBundle(wire: Wire, docs: DocComments): unknown {
  const roots = [...new Set(documentsOf(wire).map(({ type }) => type))].sort();
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Muster, version 1 of the wire',
    description:
      'Generated by `npm run docs` from packages/contracts. As a whole it takes any message, question, answer or value of a bucket. Use one type by its name: `#/$defs/AlertEvent`; `channels` of asyncapi.yaml and protocol.md say which is where.',
    anyOf: roots.map((type) => ({ $ref: `#/$defs/${type}` })),
    $defs: typeDefinitions(wire, '#/$defs/', docs),
  };
}
