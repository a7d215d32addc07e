import type { z } from 'zod';
import type { TlsFiles } from '../bus-address.ts';
import type { Encoding } from '../envelope.ts';
import type { Role } from '../roles.ts';
import type { SubjectParams } from '../subject.ts';
import type { PermissionDeniedError } from './errors.ts';

/** Something on the bus that is not as it must be. It was counted and dropped; whoever logs it limits the rate. */
export interface BusProblem {
  /**
   * `malformed`: not JSON, or not of its schema. `foreign`: arrived on a subject that was not subscribed, or
   * names in its body or key another host, service, prober… than its subject does, or another sender than may say it.
   * `oversize`: larger than a message may be. `forged`: a question, an answer or a message of a signed row that is not
   * signed by somebody who may say it; a question that was heard before; an old signed message behind a newer one; or
   * anything that the server was made to publish from a stream. `permission`: the server
   * denied a publish or a subscription. `error`: anything else, such as a handler that threw.
   */
  readonly kind: 'malformed' | 'foreign' | 'oversize' | 'forged' | 'permission' | 'error';
  readonly subject?: string;
  readonly reason: string;
}

export interface BusOptions {
  readonly servers: string | readonly string[];
  /** Path of a creds file; read again for each connection, so that a new one is used without a restart. */
  readonly credentialsFile?: string;
  /** Contents of a creds file, instead of its path. */
  readonly credentials?: string;
  /**
   * With what to prove each other over TLS. Given, or with a server written `tls://`, there is TLS or no connection.
   * Default: `ca.crt`, `<name>.crt` and `<name>.key` beside `<name>.creds`, as far as they are there.
   */
  readonly tls?: TlsFiles;
  readonly environment: string;
  readonly role: Role;
  readonly id: string;
  /** Shown in the server's connection list; default `<role>/<id>`. */
  readonly name?: string;
  readonly onProblem?: (problem: BusProblem) => void;
  /** Where the list of revoked keys is remembered; without, it is forgotten with the process. */
  readonly revocationsFile?: string;
}

/** Something that goes on until it is stopped, also over reconnections. */
export interface Subscription {
  stop(): void;
}

export interface BusCounters {
  readonly published: number;
  readonly received: number;
  /** Core messages that were not sent because the bus was away. */
  readonly dropped: number;
  readonly malformed: number;
  readonly foreign: number;
  readonly oversize: number;
  readonly forged: number;
  /** Questions that were answered with a refusal. */
  readonly refused: number;
  /** Messages of streams that had been read before, and were left out. */
  readonly doubled: number;
}

export interface ConnectionEvent {
  readonly connected: boolean;
  readonly reason: string;
}

/** A message read back from its stream. */
export interface StoredMessage<T extends string, S extends z.ZodType> {
  readonly message: z.output<S>;
  readonly params: SubjectParams<T>;
  /** Its sequence in the stream. */
  readonly seq: number;
  /** When the server stored it. */
  readonly time: Date;
}

/** What a stream holds. */
export interface StoreState {
  readonly firstSeq: number;
  readonly lastSeq: number;
}

/** A message that a consumer of the set-up's has pushed. */
export interface PushedMessage<T extends string, S extends z.ZodType> extends StoredMessage<T, S> {
  /** Counts what the server has delivered: a number left out is a message that was on its way to somebody who went. */
  readonly deliverySeq: number;
}

/** Which part of a stream to read. */
export interface HistoryOptions<M = unknown> {
  /** Only the last so many that match. */
  readonly last?: number;
  /** Only the last of each subject; not together with a start. Of a signed row it may be an old one that was said again. */
  readonly lastOfEach?: true;
  readonly sinceSeq?: number;
  readonly startTime?: Date;
  /** Told of each message, and when it was stored; true ends the reading behind it. */
  readonly isEnough?: (message: M, storedAt: Date) => boolean;
  readonly signal?: AbortSignal;
}

/** Where to begin, and whether to stay. */
export interface ReadOptions {
  readonly startTime?: Date;
  /** Goes on with what comes, until the signal says otherwise. */
  readonly follow?: boolean;
  readonly signal: AbortSignal;
}

/** What one watch of a bucket is told. */
export interface KvHandlers<V> {
  /** One entry: of the snapshot until `onReady`, then each change. `undefined`: the key was deleted. */
  onEntry(key: string, value: V | undefined, revision: number): void;
  /** The snapshot is complete. */
  onReady(): void;
  /** All that was told so far is void, and a new snapshot begins: the connection was lost, or the bucket. */
  onReset(): void;
  /** A host has more keys here than are taken of one: so many times one was not taken. */
  onExcess?(host: string, notTaken: number): void;
  /** These credentials may not read the bucket. It is tried on nevertheless, and told again. */
  onDenied?(error: PermissionDeniedError): void;
}

export interface RequestOptions {
  readonly timeoutMs: number;
  /** For whom it is asked, as `vouchFor` wrote it: who answers grants no more than that. */
  readonly person?: string;
  readonly signal?: AbortSignal;
}

export interface OrderedOptions {
  /** The stream sequence of the last message of the same subject; 0 for the first. Without it, it is stored behind whatever is there. */
  readonly expectedLastSeq?: number | undefined;
  /** How the payload is encoded; for one that was encoded before. */
  readonly encoding?: Encoding | undefined;
  /** The server knows a message that it stored within the last 2 min by this id, and does not store it again. */
  readonly messageId?: string;
  readonly signal?: AbortSignal;
}
