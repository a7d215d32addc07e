import { ENCODING_HEADER, ENCODINGS } from '../envelope.ts';
import { GRANT_HEADER, PERSON_HEADER, SIGNATURE_HEADER } from '../messages/command.ts';
import type { Wire, WireDocument } from './wire.ts';

/** What may stand in the headers of one message. */
const HEADERS: Readonly<Record<string, object>> = {
  [SIGNATURE_HEADER]: {
    type: 'string',
    description: "The sender's ed25519 signature, base64url without padding: protocol.md, Signing.",
  },
  [GRANT_HEADER]: {
    type: 'string',
    description: 'Whose key that is, signed by the root of the environment: `<payload>.<signature>`.',
  },
  [PERSON_HEADER]: {
    type: 'string',
    description: 'Where a dashboard asks for a person: what it vouches for, signed by its key.',
  },
  [ENCODING_HEADER]: {
    type: 'string',
    enum: [...ENCODINGS],
    description: 'How the body is packed; absent: plain JSON.',
  },
  'Nats-Msg-Id': {
    type: 'string',
    description: 'By which the server knows for two minutes what it has stored. Nobody else may be able to guess it.',
  },
  'Nats-Expected-Last-Subject-Sequence': {
    type: 'string',
    description:
      'Of whoever stores in order: the sequence of the last message of this subject, 0 for none. Another one is refused, and named.',
  },
};
const SIGNED = [SIGNATURE_HEADER, GRANT_HEADER];
const STORED = ['Nats-Msg-Id', 'Nats-Expected-Last-Subject-Sequence'];

interface Use {
  readonly name: string;
  readonly document: WireDocument;
  readonly headers: readonly string[];
  readonly isSigned: boolean;
}

/** The same type may be signed where it is published, and is not in a bucket. */
export function valueComponent(type: string): string {
  return `${type}Value`.replace(/ValueValue$/, 'Value');
}

/** Each kind of message, with its headers and an example. */
export function messageComponents(wire: Wire, readGolden: (file: string) => string): Record<string, object> {
  const uses: readonly Use[] = [
    ...wire.messages.map(({ row, message }) => ({
      name: message.type,
      document: message,
      headers: [
        ...(row.isSigned ? SIGNED : []),
        ...(row.encoding === undefined ? [] : [ENCODING_HEADER]),
        ...(row.stream === undefined ? [] : STORED),
      ],
      isSigned: row.isSigned ?? false,
    })),
    ...wire.questions.flatMap(({ row, request, reply }) => [
      {
        name: request.type,
        document: request,
        headers: row.people === undefined ? SIGNED : [...SIGNED, PERSON_HEADER],
        isSigned: true,
      },
      { name: reply.type, document: reply, headers: SIGNED, isSigned: true },
    ]),
    ...wire.buckets.map(({ value }) => ({
      name: valueComponent(value.type),
      document: value,
      headers: [],
      isSigned: false,
    })),
  ];
  return Object.fromEntries(
    [...uses]
      .reverse()
      .map((use) => [use.name, component(use, readGolden)])
      .reverse(),
  );
}

function component({ name, document: { type, golden }, headers, isSigned }: Use, readGolden: (file: string) => string) {
  const properties = Object.fromEntries(headers.map((header) => [header, HEADERS[header]]));
  return {
    name,
    ...(headers.length > 0 && { headers: { type: 'object', properties, ...(isSigned && { required: SIGNED }) } }),
    payload: { $ref: `#/components/schemas/${type}` },
    examples: [{ payload: JSON.parse(readGolden(golden)) as unknown }],
  };
}
