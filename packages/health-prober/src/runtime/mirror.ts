import type { KvBucket, Subscription } from '@muster/contracts/bus';

/** A bucket's entries as last seen. While the bus is away it keeps what it has; a new snapshot replaces it whole. */
export class Mirror<V> {
  #entries = new Map<string, V>();
  /** The snapshot that is coming in; `undefined` while changes are live. */
  #incoming: Map<string, V> | undefined = new Map<string, V>();
  readonly #onChange: (key: string, value: V | undefined) => void;
  readonly #watch: Subscription;
  readonly #readiness: Promise<void>;

  constructor(bucket: KvBucket<V>, onChange: (key: string, value: V | undefined) => void) {
    this.#onChange = onChange;
    const { promise, resolve } = withResolver();
    this.#readiness = promise;
    this.#watch = bucket.watch({
      onReset: () => {
        this.#incoming = new Map();
      },
      onEntry: (key, value) => this.#take(key, value),
      onReady: () => {
        this.#replace(this.#incoming ?? new Map<string, V>());
        this.#incoming = undefined;
        resolve();
      },
    });
  }

  get entries(): ReadonlyMap<string, V> {
    return this.#entries;
  }

  /** Waits until the first snapshot is complete. @throws the signal's reason */
  async ready(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    let onAbort = () => {};
    const aborted = new Promise<never>((_resolve, reject) => {
      onAbort = () => reject(signal.reason as Error);
    });
    signal.addEventListener('abort', onAbort);
    try {
      await Promise.race([this.#readiness, aborted]);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  stop(): void {
    this.#watch.stop();
  }

  #take(key: string, value: V | undefined): void {
    const target = this.#incoming ?? this.#entries;
    if (value === undefined) target.delete(key);
    else target.set(key, value);
    if (this.#incoming === undefined) this.#onChange(key, value);
  }

  #replace(next: Map<string, V>): void {
    const before = this.#entries;
    this.#entries = next;
    for (const key of before.keys()) if (!next.has(key)) this.#onChange(key, undefined);
    for (const [key, value] of next) this.#onChange(key, value);
  }
}

function withResolver(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
