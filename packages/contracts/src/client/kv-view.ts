import type { KvHandlers, Subscription } from '../bus/bus.ts';

/** What a view tells. */
export interface KvViewHandlers<V> {
  /** The picture was replaced as a whole: what there is now, and the keys that were there before and are no more. */
  onListed(entries: ReadonlyMap<string, V>, gone: readonly string[]): void;
  /** One entry changed; `undefined`: it is gone. */
  onEntry(key: string, value: V | undefined): void;
  /** So many entries of a host are not taken, for it has too many. */
  onExcess(host: string, notTaken: number): void;
}

/**
 * All values of one bucket, as last told by the server. While a new snapshot is read after a reconnection the old picture
 * stays; then the new one replaces it.
 */
export class KvView<V> {
  readonly #handlers: KvViewHandlers<V>;
  readonly #subscription: Subscription;
  #values = new Map<string, V>();
  /** The snapshot that is coming in; `undefined` while changes are live. */
  #incoming: Map<string, V> | undefined = new Map();
  /** Keys by host, once somebody has asked. */
  #byHost: Map<string, Set<string>> | undefined;
  /** By host: how many entries were not taken. */
  readonly #excess = new Map<string, number>();
  /** Who waits for the first snapshot; told an error when it can't be had. */
  readonly #waiting = new Set<(error?: Error) => void>();
  #isReady = false;

  /** `watch` begins to follow the bucket. */
  constructor(watch: (handlers: KvHandlers<V>) => Subscription, handlers: KvViewHandlers<V>) {
    this.#handlers = handlers;
    this.#subscription = watch({
      onEntry: (key, value) => {
        if (this.#incoming === undefined) this.#change(key, value);
        else set(this.#incoming, key, value);
      },
      onReset: () => {
        this.#incoming = new Map();
        const crowded = [...this.#excess.keys()];
        this.#excess.clear();
        for (const host of crowded) handlers.onExcess(host, 0);
      },
      onReady: () => {
        this.#replace(this.#incoming ?? this.#values);
        this.#isReady = true;
        for (const settle of this.#waiting) settle();
      },
      onExcess: (host, notTaken) => {
        this.#excess.set(host, notTaken);
        handlers.onExcess(host, notTaken);
      },
      onDenied: (error) => {
        for (const settle of this.#waiting) settle(error);
      },
    });
  }

  get values(): ReadonlyMap<string, V> {
    return this.#values;
  }

  get excess(): ReadonlyMap<string, number> {
    return this.#excess;
  }

  /** All that have a key here. */
  hosts(): Iterable<string> {
    return this.#index().keys();
  }

  keysOf(host: string): Iterable<string> {
    return this.#index().get(host) ?? [];
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

  #replace(next: Map<string, V>): void {
    const gone = [...this.#values.keys()].filter((key) => !next.has(key));
    this.#values = next;
    this.#incoming = undefined;
    this.#byHost = undefined;
    this.#handlers.onListed(next, gone);
  }

  #change(key: string, value: V | undefined): void {
    if (value === undefined && !this.#values.has(key)) return;
    set(this.#values, key, value);
    if (this.#byHost !== undefined) note(this.#byHost, key, value !== undefined);
    this.#handlers.onEntry(key, value);
  }

  #index(): ReadonlyMap<string, ReadonlySet<string>> {
    if (this.#byHost === undefined) {
      this.#byHost = new Map();
      for (const key of this.#values.keys()) note(this.#byHost, key, true);
    }
    return this.#byHost;
  }
}

function set<V>(values: Map<string, V>, key: string, value: V | undefined): void {
  if (value === undefined) values.delete(key);
  else values.set(key, value);
}

/** A key belongs to the host that is its first token. */
function note(byHost: Map<string, Set<string>>, key: string, isThere: boolean): void {
  const host = key.slice(0, key.indexOf('.'));
  const known = byHost.get(host) ?? new Set();
  if (isThere) known.add(key);
  else known.delete(key);
  if (known.size > 0) byHost.set(host, known);
  else byHost.delete(host);
}
