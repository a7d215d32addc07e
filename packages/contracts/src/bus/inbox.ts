import { headers as createHeaders, type Msg, nuid } from '@nats-io/transport-node';
import { answererOf, answerPrefix, answersTo } from '../answers.ts';
import { inboxPrefix } from '../permissions.ts';
import type { Role } from '../roles.ts';
import { BadReplyError, BusAwayError, NoResponderError, PermissionDeniedError, RequestTimeoutError } from './errors.ts';
import type { Link } from './gate.ts';
import type { Tally } from './tally.ts';

export interface AskOptions {
  readonly timeoutMs: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** Why this is not the answer, whatever it says. It is dropped, and the true one is waited for. */
  readonly refuse?: (message: Msg) => string | undefined;
}

interface Pending {
  readonly subject: string;
  /** Where its answer comes, and nowhere else. */
  readonly reply: string;
  readonly refuse: AskOptions['refuse'];
  /** Why the last one was not the answer. */
  refusal: string | undefined;
  readonly settle: (outcome: Msg | Error) => void;
}

/** Whose inbox it is. */
interface Asker {
  readonly environment: string;
  readonly role: Role;
  readonly id: string;
}

/** Questions and their answers, the server's and everybody's: two subscriptions for all of them, one token each. */
export class Inbox {
  readonly #asker: Asker;
  readonly #connection: Link;
  readonly #tally: Tally;
  /** Of this run: another of the same identity hears other answers. */
  readonly #run = nuid.next();
  readonly #pending = new Map<string, Pending>();
  #lastToken = 0;

  constructor(asker: Asker, connection: Link, tally: Tally) {
    const { environment, role, id } = asker;
    this.#asker = asker;
    this.#connection = connection;
    this.#tally = tally;
    const ofServer = `${inboxPrefix(role, id)}.${this.#run}.*`;
    const ofOthers = `${answersTo(environment, role, id).slice(0, -1)}${this.#run}.*`;
    for (const filter of [ofServer, ofOthers]) connection.subscribe(filter, (message) => this.#answer(message));
    connection.onConnection(({ connected }) => {
      if (!connected)
        this.#settleAll(
          () => true,
          (subject) => new BusAwayError(subject, true),
        );
    });
    connection.onDenied((denied) => {
      this.#settleAll(
        (subject) => subject === denied,
        (subject) => new PermissionDeniedError(subject),
      );
    });
  }

  /** @throws BusAwayError, NoResponderError, RequestTimeoutError, PermissionDeniedError, BadReplyError, or the signal's reason */
  ask(subject: string, payload: Uint8Array, options: AskOptions): Promise<Msg> {
    const client = this.#connection.client;
    if (client === undefined || client.isClosed()) return Promise.reject(new BusAwayError(subject, false));
    if (options.signal?.aborted) return Promise.reject(options.signal.reason);
    const token = String(++this.#lastToken);
    const reply = this.#replySubject(subject, token);
    const answer = this.#expect(token, subject, reply, options);
    try {
      client.publish(subject, payload, { reply, ...withHeaders(options.headers) });
      this.#tally.count('published');
    } catch (error) {
      this.#pending.get(token)?.settle(error instanceof Error ? error : new Error(String(error)));
    }
    return answer;
  }

  /** In the answerer's own space; what the server answers comes to an inbox. */
  #replySubject(subject: string, token: string): string {
    const { environment, role, id } = this.#asker;
    const answerer = answererOf(environment, subject);
    const prefix = answerer === undefined ? inboxPrefix(role, id) : answerPrefix(environment, { answerer, role, id });
    return `${prefix}.${this.#run}.${token}`;
  }

  #expect(token: string, subject: string, reply: string, { timeoutMs, signal, refuse }: AskOptions): Promise<Msg> {
    return new Promise((resolve, reject) => {
      const settle = (outcome: Msg | Error) => {
        this.#pending.delete(token);
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        if (outcome instanceof Error) reject(outcome);
        else resolve(outcome);
      };
      const onAbort = () => settle(signal?.reason as Error);
      const timer = setTimeout(() => settle(tooLate(pending, timeoutMs)), timeoutMs);
      signal?.addEventListener('abort', onAbort);
      const pending: Pending = { subject, reply, refuse, refusal: undefined, settle };
      this.#pending.set(token, pending);
    });
  }

  #answer(message: Msg): void {
    // An unknown token is an answer that came too late.
    const pending = this.#pending.get(message.subject.slice(message.subject.lastIndexOf('.') + 1));
    if (pending === undefined) return;
    if (pending.reply !== message.subject) {
      this.#tally.problem('foreign', message.subject, `answer: not where that of '${pending.subject}' comes`);
      return;
    }
    if (message.data.length === 0 && message.headers?.code === 503) {
      pending.settle(new NoResponderError(pending.subject));
      return;
    }
    const refusal = pending.refuse?.(message);
    if (refusal === undefined) {
      pending.settle(message);
      return;
    }
    pending.refusal = refusal;
    this.#tally.problem('forged', pending.subject, `answer: ${refusal}`);
  }

  #settleAll(concerns: (subject: string) => boolean, errorFor: (subject: string) => Error): void {
    for (const { subject, settle } of this.#pending.values()) if (concerns(subject)) settle(errorFor(subject));
  }
}

function tooLate({ subject, refusal }: Pending, timeoutMs: number): Error {
  if (refusal === undefined) return new RequestTimeoutError(subject, timeoutMs);
  return new BadReplyError(subject, `${refusal}; no other came within ${timeoutMs} ms`);
}

/** What `publish` takes beside the bytes. */
export function withHeaders(values: Readonly<Record<string, string>> = {}) {
  if (Object.keys(values).length === 0) return {};
  const headers = createHeaders();
  for (const [name, value] of Object.entries(values)) headers.set(name, value);
  return { headers };
}
