import type { z } from 'zod';
import { type Bucket, type BucketName, bucketName, buckets, type ValueOf } from '../buckets.ts';
import { ENCODING_HEADER } from '../envelope.ts';
import type { Asker } from '../messages/grant.ts';
import { inboxPrefix } from '../permissions.ts';
import type { Role } from '../roles.ts';
import { isSignedSubject } from '../row-match.ts';
import type { RequestRow, Row } from '../rows.ts';
import type { StreamName } from '../streams.ts';
import { buildSubject, type SubjectParams } from '../subject.ts';
import { encodeForStream, refuseForeign } from './codec.ts';
import { Connection } from './connection.ts';
import { BusAwayError } from './errors.ts';
import { Gate, type Link } from './gate.ts';
import { readHistory } from './history.ts';
import { askImproperly, type Fault, type ImproperAnswer } from './improper-question.ts';
import { Inbox } from './inbox.ts';
import { callJetStream } from './jetstream-api.ts';
import { KvBucket } from './kv.ts';
import { whyOlder } from './older-credentials.ts';
import { store } from './ordered-publish.ts';
import { PubSub } from './pubsub.ts';
import { readInOrder } from './read-in-order.ts';
import { receivePushed } from './receive-pushed.ts';
import { Requests } from './requests.ts';
import { readStoredAt, readStoreState } from './store-state.ts';
import { Tally } from './tally.ts';
import type { PersonClaims } from './trust/person.ts';
import { Revocations } from './trust/revocations.ts';
import { Signatures } from './trust/signatures.ts';
import { readTrust } from './trust/trust.ts';
import type {
  BusCounters,
  BusOptions,
  ConnectionEvent,
  HistoryOptions,
  OrderedOptions,
  PushedMessage,
  ReadOptions,
  RequestOptions,
  StoredMessage,
  StoreState,
  Subscription,
} from './types.ts';

/** Returns at once; connects in the background, and again for ever. */
export function openBus(options: BusOptions): Bus {
  return new Bus(options, connectionOf(options));
}

export interface ServerFacts {
  readonly version: string;
  /** The address that it is bound to; `0.0.0.0` for all. */
  readonly listensOn: string;
  /** Where we reached it. */
  readonly address: string;
  readonly maxPayloadBytes: number;
}

/** What the bus shares with one behind a gate. */
interface Connected {
  readonly connection: Link;
  readonly tally: Tally;
  readonly revocations: Bus['revocations'];
  readonly signatures: Signatures;
}

/**
 * The bus, typed: each concern in its own class, put together here. It connects in the background and never gives up. A core
 * message that can't be sent is dropped, as core messages are when nobody listens; what must not be lost goes through an outbox.
 */
export class Bus implements AsyncDisposable {
  readonly environment: string;
  readonly role: Role;
  readonly id: string;
  /** Which keys count no more, as far as this program knows. */
  readonly revocations: Pick<Revocations, 'version' | 'text' | 'read' | 'offer'>;
  readonly #tally: Tally;
  readonly #connection: Link;
  readonly #inbox: Inbox;
  readonly #pubsub: PubSub;
  readonly #requests: Requests;
  readonly #signatures: Signatures;
  readonly #prefix: string;

  constructor({ environment, role, id }: Pick<BusOptions, 'environment' | 'role' | 'id'>, connected: Connected) {
    this.environment = environment;
    this.role = role;
    this.id = id;
    this.#prefix = inboxPrefix(role, id);
    this.#tally = connected.tally;
    this.revocations = connected.revocations;
    this.#signatures = connected.signatures;
    this.#connection = connected.connection;
    this.#inbox = new Inbox(this, this.#connection, this.#tally);
    this.#pubsub = new PubSub(this.#connection, this.#reading);
    this.#requests = new Requests(
      { environment, source: `${role}/${id}`, signatures: this.#signatures },
      this.#connection,
      this.#inbox,
      this.#tally,
    );
  }

  get isConnected(): boolean {
    return this.#connection.client !== undefined;
  }

  /** When the current connection began, in monotonic ms; `undefined` while away. */
  get connectedSinceMs(): number | undefined {
    return this.#connection.sinceMs;
  }

  get counters(): BusCounters {
    return this.#tally.counters;
  }

  /** What the server of the current connection says of itself; `undefined` while away. */
  get server(): ServerFacts | undefined {
    const client = this.#connection.client;
    if (client?.info === undefined) return undefined;
    const { version, host, max_payload: maxPayloadBytes } = client.info;
    return { version, listensOn: host, address: client.getServer(), maxPayloadBytes };
  }

  /** Waits for a connection. @throws BusRefusedError when the server does not let us in (it is tried on nevertheless). */
  connected(signal?: AbortSignal): Promise<void> {
    return this.#connection.connected(signal);
  }

  /** Returns how to stop listening. */
  onConnection(listener: (event: ConnectionEvent) => void): () => void {
    return this.#connection.onConnection(listener);
  }

  /** @throws InvalidMessageError, MessageTooLargeError, InvalidTokenError; NoGrantError when it must be signed */
  publish<T extends string, S extends z.ZodType>(row: Row<T, S>, params: SubjectParams<T>, message: z.input<S>): void {
    this.#pubsub.publish(row, params, message);
  }

  /**
   * Appends to a stream, if the last message of the subject is the expected one.
   * @throws WrongLastSequenceError, NoStreamError, StoreRefusedError, NoGrantError, PermissionDeniedError: nothing was stored;
   * BusAwayError, RequestTimeoutError, BadReplyError: it may have been
   */
  async publishOrdered<T extends string, S extends z.ZodType>(
    row: Row<T, S>,
    params: SubjectParams<T>,
    message: z.input<S>,
    options: OrderedOptions,
  ): Promise<{ seq: number }> {
    const subject = buildSubject(this.environment, row.template, params);
    refuseForeign(row.names, params, subject, message);
    return this.publishEncoded(subject, encodeForStream(row, subject, message), { ...options, encoding: row.encoding });
  }

  /** As `publishOrdered`, for a message that was encoded before, such as one from a journal. It is signed here, if it must be. */
  async publishEncoded(
    subject: string,
    payload: Uint8Array,
    { encoding, ...options }: OrderedOptions,
  ): Promise<{ seq: number }> {
    // Before the first connection nobody knows yet what the credentials are worth.
    if (!this.#connection.client) throw new BusAwayError(subject, false);
    const headers = {
      ...(encoding !== undefined && { [ENCODING_HEADER]: encoding }),
      ...(isSignedSubject(this.environment, subject) && this.#signatures.signMessage(subject, payload)),
    };
    return store(this.#inbox, subject, payload, { ...options, headers });
  }

  /** Survives reconnections. What is not for this subscription, not readable or not to be believed is counted and dropped. */
  subscribe<T extends string, S extends z.ZodType>(
    row: Row<T, S>,
    filter: Partial<SubjectParams<T>>,
    handler: (message: z.output<S>, params: SubjectParams<T>) => void,
  ): Subscription {
    return this.#pubsub.subscribe(row, filter, handler);
  }

  /**
   * Asks, signed, and waits for an answer that is signed by who must give it. Others are counted and dropped.
   * @throws NoGrantError, NoResponderError, RequestRefusedError, PermissionDeniedError: it was certainly not done;
   * RequestTimeoutError, BadReplyError: it may have been; BusAwayError says which
   */
  request<T extends string, Q extends z.ZodType, R extends z.ZodType>(
    row: RequestRow<T, Q, R>,
    params: SubjectParams<T>,
    request: z.input<Q>,
    options: RequestOptions,
  ): Promise<z.output<R>> {
    return this.#requests.request(row, params, request, options);
  }

  /** What a dashboard grants to a person for whom it asks, for `RequestOptions.person`. @throws NoGrantError */
  vouchFor(claims: PersonClaims): string {
    return this.#signatures.vouchFor(claims);
  }

  /**
   * Answers who is granted to ask this. Others are refused with `forbidden`, a request that is not readable with
   * `bad-request`, a handler that throws with `internal`. A handler that has no answer leaves the question to others.
   */
  respond<T extends string, Q extends z.ZodType, R extends z.ZodType>(
    row: RequestRow<T, Q, R>,
    filter: Partial<SubjectParams<T>>,
    handler: (request: z.output<Q>, params: SubjectParams<T>, asker: Asker) => Promise<z.input<R> | undefined>,
  ): Subscription {
    return this.#requests.respond(row, filter, handler);
  }

  kv<B extends BucketName>(bucket: B): KvBucket<ValueOf<B>> {
    const definition = buckets[bucket] as Bucket as Bucket<z.ZodType<ValueOf<B>>>;
    return new KvBucket(this.#reading, this.#tally, bucketName(this.environment, bucket), definition);
  }

  /** What a stream holds of one row, oldest first. Needs a role that may read the stream. */
  history<T extends string, S extends z.ZodType>(
    row: Row<T, S>,
    filter: Partial<SubjectParams<T>>,
    options: HistoryOptions<z.output<S>> = {},
  ): Promise<readonly StoredMessage<T, S>[]> {
    return readHistory(this.#reading, row, filter, options);
  }

  /**
   * As `history`, one by one and no faster than it is taken; then `caught-up`, and with `follow` what comes. It keeps its
   * place over reconnections. Ends when the signal says so. @throws PermissionDeniedError, NoStreamError
   */
  read<T extends string, S extends z.ZodType>(
    row: Row<T, S>,
    filter: Partial<SubjectParams<T>>,
    options: ReadOptions,
  ): AsyncGenerator<StoredMessage<T, S> | 'caught-up', void> {
    return readInOrder(this.#reading, row, filter, options);
  }

  /** Where a stream stands. @throws NoStreamError, PermissionDeniedError, BusAwayError */
  storeState(stream: StreamName): Promise<StoreState> {
    return readStoreState(this.#inbox, this.environment, stream);
  }

  /** When the message of that sequence was stored, as the server writes it: `undefined` when it has none. @throws as `storeState` */
  storedAt(stream: StreamName, seq: number): Promise<string | undefined> {
    return readStoredAt(this.#inbox, this.environment, stream, seq);
  }

  /** What the set-up's consumer pushes to a subject that only this identity hears; what it pushed meanwhile comes first. */
  receive<T extends string, S extends z.ZodType>(
    row: Row<T, S>,
    deliverSubject: string,
    handler: (pushed: PushedMessage<T, S>) => void,
  ): Subscription {
    return receivePushed(this.#reading, row, deliverSubject, handler);
  }

  /** The same bus for those to whom it is away while the gate is shut, as it is at first. */
  gated(): { readonly bus: Bus; readonly gate: Pick<Gate, 'open' | 'shut'> } {
    const gate = new Gate(this.#connection);
    return { bus: new Bus(this, { ...this.#reading, revocations: this.revocations, connection: gate }), gate };
  }

  /** One call of JetStream's own API, for setting up. @throws as `callJetStream` */
  callJetStream<T>(call: string, body?: unknown): Promise<T> {
    return callJetStream<T>(this.#inbox, call, body);
  }

  /** A question of an agent as nobody may ask it, and all that is answered within `waitMs`. @throws as `askImproperly` */
  askImproperly(host: string, fault: Fault, waitMs: number): Promise<readonly ImproperAnswer[]> {
    const { environment, role, id } = this;
    const asker = { environment, role, id, connection: this.#connection, signatures: this.#signatures };
    return askImproperly(asker, host, fault, waitMs);
  }

  /** How long the server takes to answer us, in ms. @throws BusAwayError */
  async roundTripMs(): Promise<number> {
    const startedAtMs = performance.now();
    await this.flush();
    return performance.now() - startedAtMs;
  }

  /** Waits until the server has seen all that was sent and subscribed so far. @throws BusAwayError */
  async flush(): Promise<void> {
    const client = this.#connection.client;
    if (client === undefined) throw new BusAwayError('flush', false);
    // A flush whose connection breaks would never settle.
    const broken = client.closed().then((error) => {
      throw error ?? new Error('the connection was closed');
    });
    await Promise.race([client.flush(), broken]).catch((error: unknown) => {
      throw new BusAwayError('flush', true, { cause: error });
    });
  }

  /** Sends what is still to be sent, and closes. */
  drain(): Promise<void> {
    return this.#connection.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.drain();
  }

  get #reading() {
    return {
      environment: this.environment,
      connection: this.#connection,
      inbox: this.#inbox,
      prefix: this.#prefix,
      signatures: this.#signatures,
      tally: this.#tally,
    };
  }
}

function connectionOf(options: BusOptions): Connected {
  const { environment, onProblem, revocationsFile } = options;
  const tally = new Tally(onProblem);
  const revocations = new Revocations(environment, revocationsFile);
  const signatures = new Signatures(environment, revocations);
  /** As last read; what follows from them is worked out once. */
  let credentials: string | undefined;
  /** What is wrong with them, other than that nobody is let in with them. */
  let shortcoming: string | undefined;
  const onCredentials = async (text: string | undefined): Promise<void> => {
    if (text !== undefined && text === credentials) return;
    const trust = readTrust(text, options);
    await revocations.trust(trust.ok ? trust.value.roots : []);
    signatures.use(trust);
    // Who connects without credentials, to a bus without keys, knows it.
    if (text === undefined) shortcoming = undefined;
    else shortcoming = trust.ok ? whyOlder(text, options) : trust.reason;
    credentials = text;
  };
  const connection = new Connection({ ...options, onCredentials }, tally);
  connection.onConnection(({ connected }) => {
    if (connected && shortcoming !== undefined) tally.problem('error', undefined, shortcoming);
  });
  return { connection, tally, revocations, signatures };
}
