import type { Msg } from '@nats-io/transport-node';
import type { z } from 'zod';
import { Refusal } from '../messages/command.ts';
import type { RequestRow } from '../rows.ts';
import { buildFilter, buildSubject, parseSubject, type SubjectParams } from '../subject.ts';
import type { RequestOptions, Subscription } from './bus.ts';
import { decodeMessage, encodeMessage } from './codec.ts';
import type { Connection } from './connection.ts';
import { BadReplyError, RequestRefusedError } from './errors.ts';
import type { Inbox } from './inbox.ts';
import type { Tally } from './tally.ts';
import { uuidv7 } from './uuid.ts';

/** Questions and answers. */
export class Requests {
  readonly #environment: string;
  readonly #source: string;
  readonly #connection: Connection;
  readonly #inbox: Inbox;
  readonly #tally: Tally;

  constructor(environment: string, source: string, connection: Connection, inbox: Inbox, tally: Tally) {
    this.#environment = environment;
    this.#source = source;
    this.#connection = connection;
    this.#inbox = inbox;
    this.#tally = tally;
  }

  async request<T extends string, Q extends z.ZodType, R extends z.ZodType>(
    row: RequestRow<T, Q, R>,
    params: SubjectParams<T>,
    request: z.input<Q>,
    options: RequestOptions,
  ): Promise<z.output<R>> {
    const subject = buildSubject(this.#environment, row.template, params);
    const { data } = await this.#inbox.ask(subject, encodeMessage(row.request, subject, request), options);
    const reply = decodeMessage(row.reply, data);
    if (reply.ok) return reply.message;
    // A refusal may come from before the question was understood: it has none of the answer's own fields.
    const refusal = decodeMessage(Refusal, data);
    if (refusal.ok) throw new RequestRefusedError(subject, refusal.message.code, refusal.message.reason);
    this.#tally.problem(reply.kind, subject, `answer: ${reply.reason}`);
    throw new BadReplyError(subject, reply.reason);
  }

  respond<T extends string, Q extends z.ZodType, R extends z.ZodType>(
    row: RequestRow<T, Q, R>,
    filter: Partial<SubjectParams<T>>,
    handler: (request: z.output<Q>, params: SubjectParams<T>) => Promise<z.input<R> | undefined>,
  ): Subscription {
    const subjects = buildFilter(this.#environment, row.template, filter);
    return this.#connection.subscribe(subjects, (message) => void this.#handle(row, message, handler), {
      queue: row.queue,
    });
  }

  /** Never rejects. */
  async #handle<T extends string, Q extends z.ZodType, R extends z.ZodType>(
    row: RequestRow<T, Q, R>,
    message: Msg,
    handler: (request: z.output<Q>, params: SubjectParams<T>) => Promise<z.input<R> | undefined>,
  ): Promise<void> {
    const { subject, reply } = message;
    const params = parseSubject(this.#environment, row.template, subject);
    // Answers go to inboxes only: else whoever asks could have our answer published as somebody's message.
    if (params === undefined || (reply !== undefined && !reply.startsWith('_INBOX.'))) {
      this.#tally.problem('foreign', subject, `not a question of '${row.template}', or answered to '${reply}'`);
      return;
    }
    const request = decodeMessage(row.request, message.data);
    if (!request.ok) {
      this.#tally.problem(request.kind, subject, request.reason);
      this.#send(message, this.#refusal('bad-request', request.reason));
      return;
    }
    try {
      const answer = await handler(request.message, params);
      if (answer !== undefined) this.#send(message, encodeMessage(row.reply, subject, answer));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#tally.problem('error', subject, `handler failed: ${reason}`);
      this.#send(message, this.#refusal('internal', reason));
    }
  }

  #refusal(code: 'bad-request' | 'internal', reason: string): Uint8Array {
    return encodeMessage(Refusal, 'refusal', {
      id: uuidv7(),
      time: new Date().toISOString(),
      source: this.#source,
      commandId: '',
      accepted: false,
      code,
      reason,
    });
  }

  /** The connection that brought the question may be gone: then its answer goes nowhere. */
  #send(message: Msg, payload: Uint8Array): void {
    if (message.reply === undefined || message.reply === '') return;
    const client = this.#connection.client;
    if (client === undefined || client.isClosed() || client.isDraining()) return;
    client.publish(message.reply, payload);
    this.#tally.count('published');
  }
}
