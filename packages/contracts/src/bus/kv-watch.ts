import { DeliverPolicy } from '@nats-io/jetstream';
import type { z } from 'zod';
import { type Bucket, kvStream, kvSubject } from '../buckets.ts';
import { HostQuota } from '../host-quota.ts';
import type { KvHandlers, Subscription } from './bus.ts';
import { PermissionDeniedError } from './errors.ts';
import { isDeletion, readEntry } from './kv-entry.ts';
import { isServerCopy, SERVER_COPY } from './server-copy.ts';
import { type Delivery, type ReaderDependencies, readStream } from './stream-reader.ts';
import type { Tally } from './tally.ts';

/** Between two attempts while connected: the bucket may not have been made yet. */
const RETRY_MS = 500;

export interface KvWatchOptions<S extends z.ZodType> {
  /** As the server has it. */
  readonly name: string;
  readonly bucket: Bucket<S>;
  readonly filter: string;
  readonly handlers: KvHandlers<z.output<S>>;
}

/** Follows a bucket. After each loss it begins again from scratch: the server may have come back with less, or nothing. */
export class KvWatch<S extends z.ZodType> implements Subscription {
  readonly #dependencies: ReaderDependencies;
  readonly #tally: Tally;
  readonly #options: KvWatchOptions<S>;
  readonly #quota: HostQuota | undefined;
  readonly #stopListening: () => void;
  #reader: Subscription | undefined;
  #retry: NodeJS.Timeout | undefined;
  /** The handlers were told something that the next beginning makes void. */
  #isDirty = false;
  /** The reset is told with the first news, so that the old picture stays while the new one can't be had. */
  #needsReset = false;
  #isStopped = false;

  constructor(dependencies: ReaderDependencies, tally: Tally, options: KvWatchOptions<S>) {
    this.#dependencies = dependencies;
    this.#tally = tally;
    this.#options = options;
    const { maxKeysPerHost } = options.bucket;
    if (maxKeysPerHost !== undefined) this.#quota = new HostQuota(maxKeysPerHost);
    this.#stopListening = dependencies.connection.onConnection(({ connected }) => {
      if (connected) this.#begin();
    });
    this.#begin();
  }

  stop(): void {
    this.#isStopped = true;
    this.#stopListening();
    clearTimeout(this.#retry);
    this.#reader?.stop();
  }

  #begin(): void {
    const { name, filter } = this.#options;
    clearTimeout(this.#retry);
    this.#reader?.stop();
    // Not connected: the next connection begins.
    if (this.#isStopped || this.#dependencies.connection.client === undefined) return;
    this.#quota?.clear();
    this.#reader = readStream(this.#dependencies, {
      stream: kvStream(name),
      filter: kvSubject(name, filter),
      from: { deliver_policy: DeliverPolicy.LastPerSubject },
      onDelivery: (delivery) => this.#entry(delivery),
      onCaughtUp: () => {
        this.#resetOnce();
        this.#isDirty = true;
        this.#guard((handlers) => handlers.onReady());
      },
      onLost: (error) => this.#lost(error),
    });
    this.#needsReset = this.#isDirty;
  }

  #resetOnce(): void {
    if (!this.#needsReset) return;
    this.#needsReset = false;
    this.#guard((handlers) => handlers.onReset());
  }

  #entry({ subject, data, headers, seq }: Delivery): void {
    const { name, bucket } = this.#options;
    this.#resetOnce();
    this.#isDirty = true;
    const key = subject.slice(kvSubject(name, '').length);
    if (isDeletion(headers)) {
      this.#quota?.drop(key);
      this.#guard((handlers) => handlers.onEntry(key, undefined, seq));
      return;
    }
    if (isServerCopy(headers)) {
      this.#tally.problem('forged', subject, SERVER_COPY);
      return;
    }
    const value = readEntry(bucket, key, { subject, data }, this.#tally);
    if (value === undefined) return;
    if (this.#quota?.take(key) === false) this.#tellExcess(subject, key);
    else this.#guard((handlers) => handlers.onEntry(key, value, seq));
  }

  #tellExcess(subject: string, key: string): void {
    const { maxKeysPerHost } = this.#options.bucket;
    const [host = ''] = key.split('.');
    const reason = `host '${host}' has more than ${maxKeysPerHost} keys here: this one is not taken`;
    this.#tally.problem('oversize', subject, reason);
    this.#guard((handlers) => handlers.onExcess?.(host, this.#quota?.refusedOf(key) ?? 0));
  }

  #lost(error: Error): void {
    if (this.#isStopped) return;
    if (error instanceof PermissionDeniedError) this.#guard((handlers) => handlers.onDenied?.(error));
    this.#retry = setTimeout(() => this.#begin(), RETRY_MS);
  }

  #guard(tell: (handlers: KvHandlers<z.output<S>>) => void): void {
    this.#tally.guard(kvSubject(this.#options.name, this.#options.filter), () => tell(this.#options.handlers));
  }
}
