import { stringify } from 'yaml';
import { bucketName } from '../buckets.ts';
import { ENCODING_HEADER } from '../envelope.ts';
import { SEVERITIES } from '../messages/alert.ts';
import { GRANT_HEADER, SIGNATURE_HEADER } from '../messages/command.ts';
import { streamName } from '../streams.ts';
import { subjectPattern } from '../subject.ts';
import { messageComponents, valueComponent } from './asyncapi-messages.ts';
import type { DocComments } from './doc-comments.ts';
import { RESERVED, typeDefinitions } from './json-schemas.ts';
import { bucketWriters, hearers, responder, senders } from './who.ts';
import { type Wire, type WireBucket, type WireMessage, type WireQuestion } from './wire.ts';

/** Where an address has its environment; streams and buckets are named after it too. */
const ENVIRONMENT = '{environment}';
const INBOX = 'inbox';
const DELIVERY = 'observerDelivery';

const ABOUT = [
  'What travels between the parts of Muster.',
  'The operations are written for a tool beside them: it receives messages and bucket values, and asks questions.',
  "Each channel says which roles may send there and which may listen; the server enforces it with the permissions in each identity's credentials, and denies everything else.",
  'Messages are UTF-8 JSON. A reader ignores fields that it does not know, and takes a word that it does not know for the default of its field.',
  'docs/protocol.md has the rules in prose and an example of each message.',
].join(' ');

/** What the parameters of the addresses are; one that is not named here is an id. */
const PARAMETERS: Readonly<Record<string, object>> = {
  environment: {
    description: 'Which fleet: development, staging, production or any other id.',
    default: 'development',
  },
  host: { description: "Id of a host, by default its name's first label; `_` where there is none." },
  service: { description: 'Id of a service, as in services.yaml; `_` where there is none.' },
  instance: { description: "Which of a service's copies, counted from 0; `_` where there is none." },
  severity: { description: 'How bad it is.', enum: [...SEVERITIES] },
  key: { description: 'Key of the bucket: ids with dots between them, such as `web1.rag-api.0`.' },
};
const ID_PARAMETER = { description: 'An id: 1 to 63 of a-z, 0-9, _ and -, starting with a letter or a digit.' };

/** `docs/asyncapi.yaml`, AsyncAPI 3.0. */
export function asyncApiYaml(wire: Wire, docs: DocComments, readGolden: (file: string) => string): string {
  return stringify(asyncApi(wire, docs, readGolden), { lineWidth: 120, aliasDuplicateObjects: false });
}

function asyncApi(wire: Wire, docs: DocComments, readGolden: (file: string) => string): object {
  const channels = {
    ...from(wire.messages, ({ name }) => name, messageChannel),
    ...from(wire.questions, ({ name }) => name, questionChannel),
    ...from(wire.buckets, bucketChannelName, bucketChannel),
    [INBOX]: inboxChannel(wire),
    [DELIVERY]: channel(
      subjectPattern('deliver.observer.{observer}'),
      'Alerts for one observer, also those that fired while it was away, each pushed once and not acknowledged. The reply subject of each ends in <sequence in the stream>.<number of the delivery>.<time>.<pending>: a number left out was lost on the way.',
      messageRefs(['AlertEvent']),
    ),
  };
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Muster',
      version: '1.0.0',
      description: ABOUT,
      license: { name: 'MIT' },
    },
    defaultContentType: 'application/json',
    servers: {
      local: {
        host: '127.0.0.1:4222',
        protocol: 'nats',
        description: 'Where `npm start` has its nats-server listen.',
        security: [ref('securitySchemes', 'credentials')],
      },
    },
    channels,
    operations: {
      ...from(wire.messages, ({ name }) => `receive.${name}`, receiveMessage),
      ...from(wire.questions, ({ name }) => `ask.${name}`, ask),
      ...from(wire.buckets, (bucket) => `receive.${bucketChannelName(bucket)}`, receiveValue),
      [`receive.${DELIVERY}`]: {
        action: 'receive',
        channel: channelRef(DELIVERY),
        messages: [messageRef(DELIVERY, 'AlertEvent')],
      },
    },
    components: {
      messages: messageComponents(wire, readGolden),
      parameters: from(
        parameterNames(channels),
        (name) => name,
        (name) => PARAMETERS[name] ?? ID_PARAMETER,
      ),
      schemas: typeDefinitions(wire, '#/components/schemas/', docs),
      securitySchemes: {
        credentials: {
          type: 'asymmetricEncryption',
          description:
            "A user JWT, signed by the fleet's account, whose key signs the server's nonce: a `.creds` file of `muster bus keys`. An observer's may hear alerts and do nothing else.",
        },
      },
    },
  };
}

function from<T>(
  items: readonly T[],
  keyOf: (item: T) => string,
  valueOf: (item: T) => object,
): Record<string, object> {
  return Object.fromEntries(items.map((item) => [keyOf(item), valueOf(item)]));
}

function messageChannel({ row, message }: WireMessage): object {
  const packed = row.encoding === undefined ? '' : ` Packed: the header ${ENCODING_HEADER} says ${row.encoding}.`;
  const signed = row.isSigned
    ? ` Signed: in the headers ${SIGNATURE_HEADER} and ${GRANT_HEADER}, which may be ignored.`
    : '';
  const kept =
    row.stream === undefined
      ? 'Not kept: lost when nobody listens.'
      : `Kept in the stream \`${streamName(ENVIRONMENT, row.stream)}\`.`;
  return channel(
    subjectPattern(row.template),
    `Sent by ${senders(row.publishers, row.template)}. Heard by ${hearers(row.subscribers)}. ${kept} At most ${row.maxBytes} bytes.${packed}${signed}`,
    messageRefs([message.type]),
    row.isReserved,
  );
}

function questionChannel({ row, request }: WireQuestion): object {
  return channel(
    subjectPattern(row.template),
    `Asked by ${senders(row.requesters, row.template)}. Answered by ${responder(row)}. Signed, and so is its answer. At most ${row.maxBytes} bytes.`,
    messageRefs([request.type]),
    row.isReserved,
  );
}

/** Answers go to the subject that the question names for them. */
function inboxChannel({ questions }: Wire): object {
  return {
    address: null,
    description: `The reply subject of a question: ${subjectPattern('answer.<answerer>.<role>.<id>.<nonce>')}.`,
    messages: messageRefs(questions.map(({ reply }) => reply.type)),
  };
}

function bucketChannelName({ name }: WireBucket): string {
  return `bucket.${name}`;
}

function bucketChannel(entry: WireBucket): object {
  const { bucket, value } = entry;
  const name = bucketName(ENVIRONMENT, entry.name);
  return channel(
    `$KV.${name}.{key}`,
    `Last values: the key-value bucket \`${name}\`. Written by ${bucketWriters(entry)}. Read by ${hearers(bucket.readers)}. At most ${bucket.maxBytes} bytes.`,
    { [value.type]: ref('messages', valueComponent(value.type)) },
    entry.bucket.isReserved,
  );
}

function channel(address: string, description: string, messages: Record<string, object>, isReserved = false): object {
  return {
    address,
    description: isReserved ? `${RESERVED} ${description}` : description,
    ...(isReserved && { 'x-reserved': true }),
    parameters: from(
      [...address.matchAll(/\{(\w+)\}/g)].map(([, name]) => name as string),
      (name) => name,
      (name) => ref('parameters', name),
    ),
    messages,
  };
}

function messageRefs(types: readonly string[]): Record<string, object> {
  return from(
    types,
    (type) => type,
    (type) => ref('messages', type),
  );
}

function parameterNames(channels: Readonly<Record<string, object>>): readonly string[] {
  const names = Object.values(channels).flatMap((one) =>
    Object.keys('parameters' in one ? (one.parameters as object) : {}),
  );
  return [...new Set(names)];
}

function receiveMessage({ name, message }: WireMessage): object {
  return { action: 'receive', channel: channelRef(name), messages: [messageRef(name, message.type)] };
}

function receiveValue(entry: WireBucket): object {
  const name = bucketChannelName(entry);
  return { action: 'receive', channel: channelRef(name), messages: [messageRef(name, entry.value.type)] };
}

function ask({ name, request, reply }: WireQuestion): object {
  return {
    action: 'send',
    channel: channelRef(name),
    messages: [messageRef(name, request.type)],
    reply: { channel: channelRef(INBOX), messages: [messageRef(INBOX, reply.type)] },
  };
}

function channelRef(name: string): object {
  return { $ref: `#/channels/${name}` };
}

function messageRef(channelName: string, type: string): object {
  return { $ref: `#/channels/${channelName}/messages/${type}` };
}

function ref(kind: string, name: string): object {
  return { $ref: `#/components/${kind}/${name}` };
}
