import { bucketName } from '../buckets.ts';
import { permissionsFor } from '../permissions.ts';
import { ROLES, type Role } from '../roles.ts';
import { streamName } from '../streams.ts';
import { subjectPattern } from '../subject.ts';
import type { DocComments } from './doc-comments.ts';
import { fieldTable } from './field-table.ts';
import { type JsonSchema, typeDefinitions } from './json-schemas.ts';
import { code, foldedJson, link, table } from './markdown.ts';
import { RULES } from './rules.ts';
import { SIGNING } from './signing.ts';
import { bucketWriters, hearers, responder, senders } from './who.ts';
import type { Wire, WireDocument, WireMessage, WireQuestion } from './wire.ts';

/** Where an address has its environment; streams and buckets are named after it too. */
const ENVIRONMENT = '{environment}';
/** Whose rights the section of roles shows. */
const EXAMPLE = { environment: 'production', id: 'id' } as const;

/** The text of a golden message. */
export type ReadGolden = (file: string) => string;

/** `docs/protocol.md`: the rules, then each subject with who sends and hears it, its fields and an example. */
export function protocolMarkdown(wire: Wire, docs: DocComments, readGolden: ReadGolden): string {
  const definitions = typeDefinitions(wire, '#/$defs/', docs);
  const examples = exampleByType(wire);
  const typeSection = (name: string, lines: readonly string[] = []): string => {
    const definition = definitions[name] as JsonSchema;
    const document = examples.get(name);
    return paragraphs(
      `### ${name}`,
      definition.description,
      lines.join('\n'),
      fieldTable(definition),
      document === undefined ? undefined : foldedJson('Example', [readGolden(document.golden)]),
    );
  };
  const byType = groupByType(wire.messages);
  const sections = [
    RULES,
    overview(wire),
    SIGNING,
    '## Messages',
    ...[...byType].map(([type, entries]) => typeSection(type, entries.map(messageLine))),
    '## Questions',
    ...wire.questions.map((question) => questionSection(question, docs, readGolden)),
    '## Buckets',
    bucketTable(wire),
    '## Types',
    ...Object.keys(definitions)
      .filter((name) => !byType.has(name))
      .map((name) => typeSection(name)),
    '## Roles',
    `As the server enforces it, in the environment \`${EXAMPLE.environment}\` for the identity \`<role>/${EXAMPLE.id}\`. All else is denied.`,
    ...ROLES.map(roleSection),
  ];
  return `${paragraphs(...sections)}\n`;
}

/** The first of each type; those of questions are shown with their question. */
function exampleByType({ messages, buckets }: Wire): ReadonlyMap<string, WireDocument> {
  const documents = [...messages.map(({ message }) => message), ...buckets.map(({ value }) => value)];
  return new Map(documents.reverse().map((document) => [document.type, document]));
}

/** What there is of them, with an empty line between. */
function paragraphs(...parts: readonly (string | undefined)[]): string {
  return parts
    .filter((part) => part !== undefined && part !== '')
    .map((part) => part?.trim())
    .join('\n\n');
}

function overview({ messages, questions }: Wire): string {
  return paragraphs(
    '## All of it',
    `Below ${code(subjectPattern(''))}:`,
    table(
      ['subject', 'at most', 'kept', 'signed', 'sent by', 'type'],
      messages.map(({ row, message }) => [
        code(row.template) + reservedMark(row.isReserved),
        sizeText(row.maxBytes),
        row.stream ?? 'no',
        row.isSigned ? 'yes' : 'no',
        hearers(row.publishers),
        link(message.type),
      ]),
    ),
    table(
      ['question', 'at most', 'signed', 'asked by', 'answered by'],
      questions.map(({ name, row }) => [
        link(name, code(row.template)) + reservedMark(row.isReserved),
        sizeText(row.maxBytes),
        'yes, and its answer',
        hearers(row.requesters),
        row.responder,
      ]),
    ),
  );
}

function sizeText(bytes: number): string {
  return `${bytes / 1_024} KiB`;
}

function reservedMark(isReserved = false): string {
  return isReserved ? ' *reserved*' : '';
}

function groupByType(messages: readonly WireMessage[]): ReadonlyMap<string, readonly WireMessage[]> {
  const groups = new Map<string, WireMessage[]>();
  for (const entry of messages) {
    const { type } = entry.message;
    groups.set(type, [...(groups.get(type) ?? []), entry]);
  }
  return groups;
}

function messageLine({ row }: WireMessage): string {
  const packed = row.encoding === undefined ? '' : `; packed (${code(row.encoding)})`;
  const signed = row.isSigned ? '; signed' : '';
  const kept = row.stream === undefined ? 'not kept' : `kept in ${code(streamName(ENVIRONMENT, row.stream))}`;
  return `- ${code(row.template)}: ${kept}; from ${senders(row.publishers, row.template)}; to ${hearers(row.subscribers)}${packed}${signed}${row.isReserved ? '; *reserved*' : ''}`;
}

function questionSection(question: WireQuestion, docs: DocComments, readGolden: ReadGolden): string {
  const { name, verb, row, request, reply } = question;
  return paragraphs(
    `### ${name}`,
    docs.ofField(row.responder === 'agent' ? 'AGENT_VERBS' : 'PROBER_VERBS', verb),
    [
      `- ${code(row.template)}: asked by ${senders(row.requesters, row.template)}; answered by ${responder(row)}${row.isReserved ? '; *reserved*: refused by name so far' : ''}`,
      `- of people behind a dashboard: ${row.people === undefined ? 'nobody' : `${row.people} and above`}`,
      `- request: ${link(request.type)}; reply: ${link(reply.type)}`,
    ].join('\n'),
    foldedJson('Example', [readGolden(request.golden), readGolden(reply.golden)]),
  );
}

function bucketTable({ buckets }: Wire): string {
  return table(
    ['bucket', 'value', 'at most', 'written by', 'read by', 'values kept of a key'],
    buckets.map((entry) => [
      code(bucketName(ENVIRONMENT, entry.name)) + reservedMark(entry.bucket.isReserved),
      link(entry.value.type),
      sizeText(entry.bucket.maxBytes),
      bucketWriters(entry),
      hearers(entry.bucket.readers),
      String(entry.bucket.history),
    ]),
  );
}

/** What the server lets a role do; that it may read a stream or bucket stands for the calls of JetStream's API. */
function roleSection(role: Role): string {
  const { publish, subscribe } = permissionsFor(EXAMPLE.environment, role, EXAMPLE.id);
  const own = publish.filter((subject) => !subject.startsWith('$JS.'));
  const reads = publish.flatMap((subject) => /^\$JS\.API\.STREAM\.INFO\.(.+)$/.exec(subject)?.slice(1) ?? []);
  return paragraphs(
    `### ${role}`,
    [
      `- publishes to ${listOf(foldLastToken(own))}`,
      `- subscribes to ${listOf(foldLastToken(subscribe))}`,
      `- reads ${publish.includes('$JS.API.>') ? 'and sets up every stream and bucket' : listOf(reads)}`,
    ].join('\n'),
  );
}

function listOf(subjects: readonly string[]): string {
  return subjects.length === 0 ? 'nothing' : subjects.map(code).join(', ');
}

/** `a.b` and `a.c` as `a.{b,c}`. */
function foldLastToken(subjects: readonly string[]): readonly string[] {
  const lastTokens = new Map<string, string[]>();
  for (const subject of subjects) {
    const at = subject.lastIndexOf('.') + 1;
    const before = subject.slice(0, at);
    lastTokens.set(before, [...(lastTokens.get(before) ?? []), subject.slice(at)]);
  }
  return [...lastTokens].map(([before, last]) => before + (last.length === 1 ? last[0] : `{${last.join(',')}}`));
}
