import type { Msg } from '@nats-io/transport-node';
import type { z } from 'zod';
import { addresseeOf } from '../answers.ts';
import { messageOf } from '../message-of.ts';
import { Refusal, SIGNATURE_HEADER } from '../messages/command.ts';
import type { Asker, Grant } from '../messages/grant.ts';
import { whyForeign } from '../names.ts';
import { ROLE_SCOPE } from '../roles.ts';
import type { RequestRow } from '../rows.ts';
import { buildFilter, buildSubject, parseSubject, type SubjectParams } from '../subject.ts';
import type { BusProblem, RequestOptions, Subscription } from './bus.ts';
import { decodeMessage, encodeMessage, refuseForeign } from './codec.ts';
import { BadReplyError, BusAwayError, RequestRefusedError } from './errors.ts';
import { FloodMeter } from './flood-meter.ts';
import type { Link } from './gate.ts';
import { type Inbox, withHeaders } from './inbox.ts';
import type { Tally } from './tally.ts';
import { permit, whyNotNamed } from './trust/permit.ts';
import type { Signatures } from './trust/signatures.ts';
import { uuidv7 } from './uuid.ts';

/** Of one key. More than a dashboard of a large fleet asks, and less than what keeps an answerer from the others. */
const QUESTIONS = { burst: 1_000, perSecond: 200 };
/**
 * To those who have proven nothing: whom the answer reaches is then whomever they have named. No program of Muster needs such
 * an answer, so nobody loses by a thief who uses them up.
 */
const UNSIGNED_REFUSALS = { burst: 500, perSecond: 100 };

/** Who asks and answers here. */
interface Speaker {
  readonly environment: string;
  readonly source: string;
  readonly signatures: Signatures;
}

type ProblemKind = BusProblem['kind'];
type RefusalCode = 'forbidden' | 'bad-request' | 'internal';

type Handler<T extends string, Q extends z.ZodType, R extends z.ZodType> = (
  request: z.output<Q>,
  params: SubjectParams<T>,
  asker: Asker,
) => Promise<z.input<R> | undefined>;

/** Questions and answers. */
export class Requests {
  readonly #environment: string;
  readonly #source: string;
  readonly #signatures: Signatures;
  readonly #connection: Link;
  readonly #inbox: Inbox;
  readonly #tally: Tally;
  /** By the key that was proven: nobody uses up what is another's. */
  readonly #asked = new FloodMeter(QUESTIONS);
  readonly #unsigned = new FloodMeter(UNSIGNED_REFUSALS);

  constructor({ environment, source, signatures }: Speaker, connection: Link, inbox: Inbox, tally: Tally) {
    this.#environment = environment;
    this.#source = source;
    this.#signatures = signatures;
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
    refuseForeign(row.names.request, { ...params, signer: this.#source }, subject, request);
    const payload = encodeMessage(row.request, subject, request, row.maxBytes);
    // Before the first connection nobody knows yet what the credentials are worth.
    if (this.#connection.client === undefined) throw new BusAwayError(subject, false);
    const headers = { ...this.#signatures.signRequest(subject, payload, options.person) };
    let answerer = '';
    const refuse = (message: Msg) => {
      const signed = this.#signatures.checkReply(headers[SIGNATURE_HEADER], message);
      if (signed.ok) answerer = sourceOf(signed.value);
      return signed.ok ? whyNotAnswerer(row, params, signed.value) : signed.reason;
    };
    const { data } = await this.#inbox.ask(subject, payload, { ...options, headers, refuse });
    const reply = decodeMessage(row.reply, data);
    if (reply.ok) {
      const values = { ...(request as object), ...params, signer: answerer };
      const foreign = whyForeign(row.names.reply, values, reply.message);
      if (foreign === undefined) return reply.message;
      this.#tally.problem('foreign', subject, `answer: ${foreign}`);
      throw new BadReplyError(subject, foreign);
    }
    // A refusal may come from before the question was understood: it has none of the answer's own fields.
    const refusal = decodeMessage(Refusal, data);
    if (refusal.ok) throw new RequestRefusedError(subject, refusal.message.code, refusal.message.reason);
    this.#tally.problem(reply.kind, subject, `answer: ${reply.reason}`);
    throw new BadReplyError(subject, reply.reason);
  }

  respond<T extends string, Q extends z.ZodType, R extends z.ZodType>(
    row: RequestRow<T, Q, R>,
    filter: Partial<SubjectParams<T>>,
    handler: Handler<T, Q, R>,
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
    handler: Handler<T, Q, R>,
  ): Promise<void> {
    const { subject, reply = '' } = message;
    const params = parseSubject(this.#environment, row.template, subject);
    const addressee = addresseeOf(this.#environment, subject, reply);
    // What the server was made to publish out of a stream names no place for an answer.
    if (params === undefined || addressee === undefined) {
      const reason = `not a question of '${row.template}', or its reply subject is not in the space of its answers`;
      this.#tally.problem('foreign', subject, reason);
      return;
    }
    // Before anything of it is read: who may not ask costs a signature, and no more.
    const checked = permit(row, params, this.#signatures.checkRequest(subject, message));
    if (checked.kind === 'repeated') {
      this.#tally.problem('forged', subject, checked.reason);
      return;
    }
    const refuse = (kind: ProblemKind, reason: string, code: RefusalCode = 'forbidden') => {
      this.#tally.problem(kind, subject, reason);
      this.#refuse(reply, checked.kind === 'forged' ? undefined : checked.signature, code, reason);
    };
    if (checked.kind === 'forged') return refuse('forged', checked.reason);
    const key = checked.kind === 'proven' ? checked.asker.key : checked.key;
    if (!this.#asked.admits(key, 1, performance.now())) {
      this.#tally.count('refused');
      const reason = `its asker asks more than ${QUESTIONS.perSecond} questions a second: they get no answer`;
      this.#tally.problem('error', subject, reason);
      return;
    }
    if (checked.kind === 'refused') return refuse('forged', checked.reason);
    const { asker, signature } = checked;
    if (addressee.role !== asker.role || addressee.id !== asker.id) {
      this.#tally.problem('foreign', subject, `${asker.role}/${asker.id} wants its answer sent to somebody else`);
      return;
    }
    const request = decodeMessage(row.request, message.data, row);
    if (!request.ok) return refuse(request.kind, request.reason, 'bad-request');
    const foreign = whyForeign(row.names.request, { ...params, signer: sourceOf(asker) }, request.message);
    if (foreign !== undefined) return refuse('foreign', foreign);
    const ungranted = whyNotNamed(row, asker, request.message);
    if (ungranted !== undefined) return refuse('forged', ungranted);
    try {
      const answer = await handler(withActor(request.message, asker), params, asker);
      if (answer === undefined) return;
      if (isRefusal(answer)) this.#tally.count('refused');
      const values = { ...(request.message as object), ...params, signer: this.#source };
      refuseForeign(row.names.reply, values, subject, answer);
      this.#send(reply, signature, encodeMessage(row.reply, subject, answer));
    } catch (error) {
      const reason = messageOf(error);
      this.#tally.problem('error', subject, `handler failed: ${reason}`);
      this.#refuse(reply, signature, 'internal', reason);
    }
  }

  #refuse(inbox: string, requestSignature: string | undefined, code: RefusalCode, reason: string): void {
    this.#tally.count('refused');
    if (requestSignature === undefined && !this.#unsigned.admits('', 1, performance.now())) return;
    const refusal = encodeMessage(Refusal, 'refusal', {
      id: uuidv7(),
      time: new Date().toISOString(),
      source: this.#source,
      commandId: '',
      accepted: false,
      code,
      reason,
    });
    this.#send(inbox, requestSignature, refusal);
  }

  /** The connection that brought the question may be gone: then its answer goes nowhere. */
  #send(inbox: string, requestSignature: string | undefined, payload: Uint8Array): void {
    const client = this.#connection.client;
    if (client === undefined || client.isClosed() || client.isDraining()) return;
    const signed = requestSignature === undefined ? undefined : this.#signatures.signReply(requestSignature, payload);
    client.publish(inbox, payload, withHeaders({ ...signed }));
    this.#tally.count('published');
  }
}

function sourceOf({ role, id }: Grant): string {
  return `${role}/${id}`;
}

function isRefusal(answer: unknown): boolean {
  return typeof answer === 'object' && answer !== null && 'accepted' in answer && answer.accepted === false;
}

/** Who asked is the person behind the dashboard, whatever the question says. */
function withActor<Q>(request: Q, { person }: Asker): Q {
  if (person === undefined || typeof request !== 'object' || request === null) return request;
  return { ...request, actor: person.who };
}

/** An agent answers for its own host only; any prober for all. */
function whyNotAnswerer(
  row: RequestRow,
  params: Readonly<Record<string, unknown>>,
  { role, id }: Grant,
): string | undefined {
  const own = params[ROLE_SCOPE[row.responder] ?? ''];
  if (role === row.responder && (own === undefined || own === id)) return undefined;
  return `it is from ${role}/${id}, not from the ${row.responder} that was asked`;
}
