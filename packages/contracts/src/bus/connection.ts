/*
 * One connection at a time, for ever.
 *
 * The client library can reconnect by itself, but then it sends after a reconnection what was published while away:
 * a command minutes too late. So each connection is a new one; subscriptions are kept here and made again on each.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type Auth,
  connect,
  errors,
  type Msg,
  type NatsConnection,
  type Subscription as NatsSubscription,
} from '@nats-io/transport-node';
import { inboxPrefix } from '../permissions.ts';
import { BusRefusedError } from './errors.ts';
import { matchesFilter } from './matches-filter.ts';
import type { Tally } from './tally.ts';
import { isTlsAsked, tlsFor, tlsRefusal } from './tls.ts';
import { parseCredentials } from './trust/credentials-file.ts';
import { signerFrom } from './trust/nkey.ts';
import type { BusOptions, ConnectionEvent, Subscription } from './types.ts';

const CONNECT_TIMEOUT_MS = 10_000;
/** A dead peer is noticed after two unanswered pings. */
const PING_INTERVAL_MS = 5_000;
const MAX_PINGS_OUT = 2;
/** Jittered, so that a fleet does not come back as one. */
const RETRY_MIN_MS = 50;
/** Who was never connected has perhaps only been started before its server was: it tries sooner, so many times. */
const EARLY_RETRIES = 20;
const EARLY_RETRY_MAX_MS = 150;
const RETRY_MAX_MS = 1_000;
const CLOSED = 'cannot connect to the bus: it was closed';

/** A subscription as asked for; `live` while there is a connection. */
interface Wanted extends SubscribeOptions {
  readonly filter: string;
  readonly handler: (message: Msg) => void;
  live: NatsSubscription | undefined;
}

export interface ConnectionOptions extends BusOptions {
  /** Told what the credentials say, before each attempt to connect. There is none when it rejects. */
  readonly onCredentials: (text: string | undefined) => Promise<void>;
}

export interface SubscribeOptions {
  readonly queue?: string | undefined;
  /** What may arrive; default: what matches the filter. A stream delivers with the subjects it stored. */
  readonly accepts?: ((message: Msg) => boolean) | undefined;
}

interface Waiter {
  resolve(): void;
  reject(error: Error): void;
}

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #tally: Tally;
  readonly #servers: readonly string[];
  readonly #closing = new AbortController();
  readonly #wanted = new Set<Wanted>();
  readonly #listeners = new Set<(event: ConnectionEvent) => void>();
  readonly #deniedListeners = new Set<(subject: string) => void>();
  readonly #waiters = new Set<Waiter>();
  readonly #loop: Promise<void>;
  #client: NatsConnection | undefined;
  #sinceMs: number | undefined;

  /** Connects in the background. */
  constructor(options: ConnectionOptions, tally: Tally) {
    this.#options = options;
    this.#tally = tally;
    this.#servers = typeof options.servers === 'string' ? [options.servers] : options.servers;
    this.#loop = this.#run();
  }

  /** `undefined` while away. */
  get client(): NatsConnection | undefined {
    return this.#client;
  }

  get sinceMs(): number | undefined {
    return this.#sinceMs;
  }

  onConnection(listener: (event: ConnectionEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Told the subject of each publish that the server denied. */
  onDenied(listener: (subject: string) => void): void {
    this.#deniedListeners.add(listener);
  }

  connected(signal?: AbortSignal): Promise<void> {
    if (this.#client !== undefined) return Promise.resolve();
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#closing.signal.aborted) return Promise.reject(new Error(CLOSED));
    return new Promise((resolve, reject) => {
      const onAbort = () => waiter.reject(signal?.reason);
      const settle = () => {
        this.#waiters.delete(waiter);
        signal?.removeEventListener('abort', onAbort);
      };
      const waiter: Waiter = {
        resolve: () => {
          settle();
          resolve();
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      };
      this.#waiters.add(waiter);
      signal?.addEventListener('abort', onAbort);
    });
  }

  /** Made again on each connection. What arrives for another subject is counted as foreign and dropped. */
  subscribe(filter: string, handler: (message: Msg) => void, options: SubscribeOptions = {}): Subscription {
    const wanted: Wanted = { ...options, filter, handler, live: undefined };
    this.#wanted.add(wanted);
    if (this.#client !== undefined) this.#attach(this.#client, wanted);
    return {
      stop: () => {
        this.#wanted.delete(wanted);
        if (this.#client !== undefined && !this.#client.isClosed()) wanted.live?.unsubscribe();
      },
    };
  }

  /** Sends what is still to be sent, and ends. */
  async close(): Promise<void> {
    this.#closing.abort();
    for (const waiter of this.#waiters) waiter.reject(new Error(CLOSED));
    if (this.#client !== undefined && !this.#client.isClosed() && !this.#client.isDraining()) {
      // The connection may break meanwhile: then there is nothing left to send, and the client's drain never settles.
      await Promise.race([this.#client.drain().catch(() => {}), this.#client.closed()]);
    }
    await this.#loop;
  }

  async #run(): Promise<void> {
    let earlyRetries = EARLY_RETRIES;
    while (!this.#closing.signal.aborted) {
      const client = await this.#connectToAny();
      if (client !== undefined) {
        earlyRetries = 0;
        const ended = await this.#live(client);
        this.#away(ended?.message ?? 'connection closed');
      }
      const maxMs = earlyRetries > 0 ? EARLY_RETRY_MAX_MS : RETRY_MAX_MS;
      earlyRetries = Math.max(0, earlyRetries - 1);
      const waitMs = RETRY_MIN_MS + Math.random() * (maxMs - RETRY_MIN_MS);
      await delay(waitMs, undefined, { signal: this.#closing.signal }).catch(() => {});
    }
  }

  /** In random order, so that a fleet spreads over a cluster. */
  async #connectToAny(): Promise<NatsConnection | undefined> {
    const refusals: BusRefusedError[] = [];
    for (const server of shuffled(this.#servers)) {
      if (this.#closing.signal.aborted) return undefined;
      try {
        return await this.#connectTo(server);
      } catch (error) {
        const refusal = refusalFrom(server, isTlsAsked(server, this.#options), error);
        if (refusal !== undefined) refusals.push(refusal);
      }
    }
    const [first] = refusals;
    if (first !== undefined) this.#refused(first);
    return undefined;
  }

  /** One server at a time: what its certificate must say is its own name. */
  async #connectTo(server: string): Promise<NatsConnection> {
    const { role, id, name, onCredentials } = this.#options;
    const credentials = await this.#credentials();
    await onCredentials(credentials).catch((error: Error) => {
      throw new BusRefusedError([server], error.message, { cause: error });
    });
    const tls = await tlsFor(server, this.#options);
    return await connect({
      servers: [server],
      ...(credentials === undefined ? {} : { authenticator: (nonce) => authenticate(credentials, nonce) }),
      ...(tls === undefined ? {} : { tls }),
      name: name ?? `${role}/${id}`,
      inboxPrefix: inboxPrefix(role, id),
      reconnect: false,
      timeout: CONNECT_TIMEOUT_MS,
      pingInterval: PING_INTERVAL_MS,
      maxPingOut: MAX_PINGS_OUT,
      noAsyncTraces: true,
    });
  }

  async #credentials(): Promise<string | undefined> {
    const { credentials, credentialsFile } = this.#options;
    if (credentials !== undefined || credentialsFile === undefined) return credentials;
    try {
      return await readFile(credentialsFile, 'utf8');
    } catch (error) {
      throw new BusRefusedError(this.#servers, `cannot read '${credentialsFile}'`, { cause: error });
    }
  }

  #refused(refusal: BusRefusedError): void {
    this.#tally.problem('error', undefined, refusal.message);
    for (const waiter of this.#waiters) waiter.reject(refusal);
  }

  /** Until the connection ends; with why. */
  async #live(client: NatsConnection): Promise<Error | undefined> {
    if (this.#closing.signal.aborted) {
      await client.close();
      return undefined;
    }
    const watching = this.#watchStatus(client);
    this.#client = client;
    this.#sinceMs = performance.now();
    for (const wanted of this.#wanted) this.#attach(client, wanted);
    this.#tell({ connected: true, reason: `connected to ${client.getServer()}` });
    for (const waiter of this.#waiters) waiter.resolve();
    const ended = await client.closed();
    await watching;
    return ended ?? undefined;
  }

  #away(reason: string): void {
    this.#client = undefined;
    this.#sinceMs = undefined;
    this.#tell({ connected: false, reason });
  }

  #tell(event: ConnectionEvent): void {
    for (const listener of this.#listeners) this.#tally.guard('connection', () => listener(event));
  }

  #attach(client: NatsConnection, wanted: Wanted): void {
    wanted.live = client.subscribe(wanted.filter, {
      ...(wanted.queue === undefined ? {} : { queue: wanted.queue }),
      callback: (error, message) => {
        // A denied subscription is told through the status.
        if (error !== null) return;
        this.#tally.count('received');
        const spoilt = whyUnreadable(message);
        if (spoilt !== undefined) {
          this.#tally.problem('malformed', message.subject, `headers: ${spoilt}`);
          return;
        }
        const isOurs = wanted.accepts?.(message) ?? matchesFilter(wanted.filter, message.subject);
        if (!isOurs) {
          this.#tally.problem('foreign', message.subject, `arrived at the subscription '${wanted.filter}'`);
          return;
        }
        this.#tally.guard(message.subject, () => wanted.handler(message));
      },
    });
  }

  async #watchStatus(client: NatsConnection): Promise<void> {
    for await (const status of client.status()) {
      if (status.type !== 'error') continue;
      const { error } = status;
      if (error instanceof errors.PermissionViolationError) {
        this.#tally.problem('permission', error.subject, error.message);
        if (error.operation === 'publish') for (const listener of this.#deniedListeners) listener(error.subject);
      } else {
        this.#tally.problem('error', undefined, error.message);
      }
    }
  }
}

/** What proves to the server who we are. @throws when the credentials are none */
function authenticate(credentials: string, nonce = ''): Auth {
  const { jwt, seed } = parseCredentials(credentials);
  const signer = signerFrom(seed);
  return { jwt, nkey: signer.publicKey, sig: signer.sign(Buffer.from(nonce)) };
}

/** The library reads headers when they are asked for, and throws at some; the server lets any bytes through. */
function whyUnreadable(message: Msg): string | undefined {
  try {
    void message.headers;
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Is it that the server won't have us, or that we won't have it, rather than that it is away? */
function refusalFrom(server: string, isTlsAsked: boolean, error: unknown): BusRefusedError | undefined {
  if (error instanceof BusRefusedError) return error;
  const isRefusal =
    error instanceof errors.AuthorizationError || error instanceof errors.UserAuthenticationExpiredError;
  if (isRefusal) return new BusRefusedError([server], error.message, { cause: error });
  return tlsRefusal(server, isTlsAsked, error);
}

function shuffled<T>(items: readonly T[]): readonly T[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}
