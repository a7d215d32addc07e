import type { KvBucket, KvHandlers, Subscription } from '../bus/bus.ts';

/** Told of each entry that changed; `undefined`: it is gone. */
export type EntryListener<V> = (key: string, value: V | undefined) => void;

/**
 * All values of one bucket, as last told by the server. While a new snapshot is read after a reconnection the old picture
 * stays; then what is no longer there goes.
 */
export class KvView<V> {
  readonly #values = new Map<string, V>();
  readonly #onChange: EntryListener<V>;
  readonly #subscription: Subscription;
  /** Keys of the picture before the reset that the new snapshot has not confirmed yet. */
  #unconfirmed = new Set<string>();
  /** By host: how many entries were not taken, for it has too many. */
  readonly #excess = new Map<string, number>();
  /** Who waits for the first snapshot; told an error when it can't be had. */
  readonly #waiting = new Set<(error?: Error) => void>();
  #isReady = false;

  /** `filter`: only of these keys. */
  constructor(bucket: KvBucket<V>, onChange: EntryListener<V>, filter = '>') {
    this.#onChange = onChange;
    const handlers: KvHandlers<V> = {
      onEntry: (key, value) => this.#set(key, value),
      onReset: () => {
        this.#unconfirmed = new Set(this.#values.keys());
        this.#excess.clear();
      },
      onReady: () => {
        for (const key of this.#unconfirmed) this.#set(key, undefined);
        this.#unconfirmed.clear();
        this.#isReady = true;
        for (const settle of this.#waiting) settle();
      },
      onExcess: (host, notTaken) => void this.#excess.set(host, notTaken),
      onDenied: (error) => {
        for (const settle of this.#waiting) settle(error);
      },
    };
    this.#subscription = bucket.watch(handlers, filter);
  }

  get values(): ReadonlyMap<string, V> {
    return this.#values;
  }

  get excess(): ReadonlyMap<string, number> {
    return this.#excess;
  }

  /** Waits for the first snapshot. @throws PermissionDeniedError, or the signal's reason */
  async ready(signal: AbortSignal): Promise<void> {
    if (this.#isReady) return;
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const onAbort = () => settle(signal.reason as Error);
      const settle = (error?: Error) => {
        this.#waiting.delete(settle);
        signal.removeEventListener('abort', onAbort);
        if (error === undefined) resolve();
        else reject(error);
      };
      this.#waiting.add(settle);
      signal.addEventListener('abort', onAbort);
    });
  }

  stop(): void {
    this.#subscription.stop();
  }

  #set(key: string, value: V | undefined): void {
    this.#unconfirmed.delete(key);
    if (value !== undefined) this.#values.set(key, value);
    else if (!this.#values.delete(key)) return;
    this.#onChange(key, value);
  }
}
