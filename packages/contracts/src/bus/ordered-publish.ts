import { z } from 'zod';
import { decodeMessage } from './codec.ts';
import { BadReplyError, NoResponderError, NoStreamError, StoreRefusedError, WrongLastSequenceError } from './errors.ts';
import type { Inbox } from './inbox.ts';

const ACK_TIMEOUT_MS = 5_000;
const EXPECTED_LAST_SEQUENCE = 'Nats-Expected-Last-Subject-Sequence';
const MESSAGE_ID = 'Nats-Msg-Id';
const WRONG_LAST_SEQUENCE = 10_071;

/** What JetStream answers to a publish. */
const PubAck = z.union([
  z.object({ stream: z.string().min(1), seq: z.int().min(1) }),
  z.object({ error: z.object({ err_code: z.int(), description: z.string() }) }),
]);

export interface StoreOptions {
  /** Store only when this is the last sequence of the subject. */
  readonly expectedLastSeq?: number | undefined;
  readonly messageId?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/** Publishes to a stream and waits until it is stored. @throws as `Bus.publishOrdered` */
export async function store(
  inbox: Inbox,
  subject: string,
  payload: Uint8Array,
  { expectedLastSeq, messageId, headers = {}, signal }: StoreOptions = {},
): Promise<{ seq: number }> {
  const conditions = {
    ...(expectedLastSeq !== undefined && { [EXPECTED_LAST_SEQUENCE]: String(expectedLastSeq) }),
    ...(messageId !== undefined && { [MESSAGE_ID]: messageId }),
  };
  const reply = await inbox
    .ask(subject, payload, { timeoutMs: ACK_TIMEOUT_MS, headers: { ...headers, ...conditions }, signal })
    .catch((error: unknown) => {
      throw error instanceof NoResponderError ? new NoStreamError(subject) : error;
    });
  const ack = decodeMessage(PubAck, reply.data);
  if (!ack.ok) throw new BadReplyError(subject, ack.reason);
  if ('seq' in ack.message) return { seq: ack.message.seq };
  const { err_code: code, description } = ack.message.error;
  if (code === WRONG_LAST_SEQUENCE) {
    const actual = /: (\d+)$/.exec(description)?.[1];
    if (actual !== undefined) throw new WrongLastSequenceError(subject, expectedLastSeq ?? 0, Number(actual));
  }
  throw new StoreRefusedError(subject, code, description);
}
