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
import type {
  Bus,
  BusCounters,
  BusOptions,
  ConnectionEvent,
  HistoryOptions,
  KvBucket,
  OrderedOptions,
  PushedMessage,
  ReadOptions,
  RequestOptions,
  StoredMessage,
  StoreState,
  Subscription,
} from './bus.ts';
import { encodeForStream, refuseForeign } from './codec.ts';
import { Connection } from './connection.ts';
import { BusAwayError } from './errors.ts';
import { Gate, type Link } from './gate.ts';
import { readHistory } from './history.ts';
import { askImproperly, type Fault, type ImproperAnswer } from './improper-question.ts';
import { Inbox } from './inbox.ts';
import { callJetStream } from './jetstream-api.ts';
import { Kv } from './kv.ts';
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

/** Returns at once; connects in the background, and again for ever. */
export function openBus(options: BusOptions): NatsBus {
  return new NatsBus(options, connectionOf(options));
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
  readonly revocations: Revocations;
  readonly signatures: Signatures;
}

/** The bus over NATS: each concern in its own class, put together here. */
export class NatsBus implements Bus {
  readonly environment: string;
  readonly role: Role;
  readonly id: string;
  readonly revocations: Revocations;
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

  connected(signal?: AbortSignal): Promise<void> {
    return this.#connection.connected(signal);
  }

  onConnection(listener: (event: ConnectionEvent) => void): () => void {
    return this.#connection.onConnection(listener);
  }

  publish<T extends string, S extends z.ZodType>(row: Row<T, S>, params: SubjectParams<T>, message: z.input<S>): void {
    this.#pubsub.publish(row, params, message);
  }

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

  subscribe<T extends string, S extends z.ZodType>(
    row: Row<T, S>,
    filter: Partial<SubjectParams<T>>,
    handler: (message: z.output<S>, params: SubjectParams<T>) => void,
  ): Subscription {
    return this.#pubsub.subscribe(row, filter, handler);
  }

  request<T extends string, Q extends z.ZodType, R extends z.ZodType>(
    row: RequestRow<T, Q, R>,
    params: SubjectParams<T>,
    request: z.input<Q>,
    options: RequestOptions,
  ): Promise<z.output<R>> {
    return this.#requests.request(row, params, request, options);
  }

  vouchFor(claims: PersonClaims): string {
    return this.#signatures.vouchFor(claims);
  }

  respond<T extends string, Q extends z.ZodType, R extends z.ZodType>(
    row: RequestRow<T, Q, R>,
    filter: Partial<SubjectParams<T>>,
    handler: (request: z.output<Q>, params: SubjectParams<T>, asker: Asker) => Promise<z.input<R> | undefined>,
  ): Subscription {
    return this.#requests.respond(row, filter, handler);
  }

  kv<B extends BucketName>(bucket: B): KvBucket<ValueOf<B>> {
    const definition: Bucket = buckets[bucket];
    const kv = new Kv(this.#reading, this.#tally, bucketName(this.environment, bucket), definition);
    return kv as KvBucket<unknown> as KvBucket<ValueOf<B>>;
  }

  history<T extends string, S extends z.ZodType>(
    row: Row<T, S>,
    filter: Partial<SubjectParams<T>>,
    options: HistoryOptions<z.output<S>> = {},
  ): Promise<readonly StoredMessage<T, S>[]> {
    return readHistory(this.#reading, row, filter, options);
  }

  read<T extends string, S extends z.ZodType>(
    row: Row<T, S>,
    filter: Partial<SubjectParams<T>>,
    options: ReadOptions,
  ): AsyncGenerator<StoredMessage<T, S> | 'caught-up', void> {
    return readInOrder(this.#reading, row, filter, options);
  }

  storeState(stream: StreamName): Promise<StoreState> {
    return readStoreState(this.#inbox, this.environment, stream);
  }

  storedAt(stream: StreamName, seq: number): Promise<string | undefined> {
    return readStoredAt(this.#inbox, this.environment, stream, seq);
  }

  receive<T extends string, S extends z.ZodType>(
    row: Row<T, S>,
    deliverSubject: string,
    handler: (pushed: PushedMessage<T, S>) => void,
  ): Subscription {
    return receivePushed(this.#reading, row, deliverSubject, handler);
  }

  /** The same bus for those to whom it is away while the gate is shut, as it is at first. */
  gated(): { readonly bus: NatsBus; readonly gate: Pick<Gate, 'open' | 'shut'> } {
    const gate = new Gate(this.#connection);
    return { bus: new NatsBus(this, { ...this.#reading, revocations: this.revocations, connection: gate }), gate };
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
