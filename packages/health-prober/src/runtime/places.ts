/** How many targets of one host there is room for. Whoever finds none waits until another one leaves. */
export class Places {
  readonly #perHost: number;
  readonly #taken = new Map<string, Set<string>>();
  readonly #waiting = new Map<string, Set<string>>();

  constructor(perHost: number) {
    this.#perHost = perHost;
  }

  /** True when it has a place, now or since before. */
  take(host: string, key: string): boolean {
    const taken = of(this.#taken, host);
    if (taken.has(key) || taken.size < this.#perHost) {
      taken.add(key);
      drop(this.#waiting, host, key);
      return true;
    }
    of(this.#waiting, host).add(key);
    return false;
  }

  isWaiting(host: string, key: string): boolean {
    return this.#waiting.get(host)?.has(key) ?? false;
  }

  /** Says who may take the place that has become free. */
  leave(host: string, key: string): string | undefined {
    drop(this.#waiting, host, key);
    if (!drop(this.#taken, host, key)) return undefined;
    return this.#waiting.get(host)?.values().next().value;
  }
}

function of(sets: Map<string, Set<string>>, host: string): Set<string> {
  const found = sets.get(host) ?? new Set();
  sets.set(host, found);
  return found;
}

function drop(sets: Map<string, Set<string>>, host: string, key: string): boolean {
  const found = sets.get(host);
  const had = found?.delete(key) ?? false;
  if (found?.size === 0) sets.delete(host);
  return had;
}
