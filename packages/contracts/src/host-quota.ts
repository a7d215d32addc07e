/** How much of one host is taken, by keys that begin with it: no host can fill who follows all of them. */
export class HostQuota {
  readonly #maxKeys: number;
  readonly #taken = new Map<string, Set<string>>();
  readonly #refused = new Map<string, number>();

  constructor(maxKeys: number) {
    this.#maxKeys = maxKeys;
  }

  /** True when the key is taken, now or before; else it is counted. */
  take(key: string): boolean {
    const host = hostOf(key);
    const taken = this.#taken.get(host);
    if (taken === undefined) this.#taken.set(host, new Set([key]));
    else if (taken.size < this.#maxKeys || taken.has(key)) taken.add(key);
    else {
      this.#refused.set(host, this.refusedOf(key) + 1);
      return false;
    }
    return true;
  }

  /** The key is gone: another has its place. */
  drop(key: string): void {
    const host = hostOf(key);
    const taken = this.#taken.get(host);
    taken?.delete(key);
    if (taken?.size === 0) this.#taken.delete(host);
  }

  /** How often a key of this key's host was not taken. */
  refusedOf(key: string): number {
    return this.#refused.get(hostOf(key)) ?? 0;
  }

  clear(): void {
    this.#taken.clear();
    this.#refused.clear();
  }
}

function hostOf(key: string): string {
  const dot = key.indexOf('.');
  return dot === -1 ? key : key.slice(0, dot);
}
