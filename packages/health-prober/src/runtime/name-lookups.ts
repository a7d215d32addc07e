import { ADDRCONFIG, type LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';

type Lookup = (name: string) => Promise<readonly LookupAddress[]>;

/**
 * The system's lookup holds one of a few threads until the name server has answered, also when nobody waits any more. So
 * that names on a silent server, of which one host may list many, leave threads for the others.
 */
const AT_ONCE_PER_HOST = 2;

/** As a connection looks names up by itself: the hosts file, the name servers, both families. */
const systemLookup: Lookup = (name) => lookup(name, { all: true, hints: ADDRCONFIG });

/** Looks names up, few at once for each host. */
export class NameLookups {
  readonly #lookup: Lookup;
  readonly #underWay = new Map<string, number>();
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(lookup: Lookup = systemLookup) {
    this.#lookup = lookup;
  }

  /** On behalf of `host`. @throws the signal's reason when that comes before its turn; else what the lookup throws */
  async addressesOf(host: string, name: string, signal: AbortSignal): Promise<readonly LookupAddress[]> {
    await this.#turn(host, signal);
    try {
      return await this.#lookup(name);
    } finally {
      this.#end(host);
    }
  }

  async #turn(host: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const underWay = this.#underWay.get(host) ?? 0;
    if (underWay < AT_ONCE_PER_HOST) {
      this.#underWay.set(host, underWay + 1);
      return;
    }
    const waiting = this.#waiting.get(host) ?? new Set();
    this.#waiting.set(host, waiting);
    await new Promise<void>((resolve, reject) => {
      const onAbort = () => {
        waiting.delete(start);
        reject(signal.reason as Error);
      };
      const start = () => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
      waiting.add(start);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Its place is the next one's, or nobody's. */
  #end(host: string): void {
    const waiting = this.#waiting.get(host);
    for (const start of waiting ?? []) {
      waiting?.delete(start);
      start();
      return;
    }
    this.#waiting.delete(host);
    const left = (this.#underWay.get(host) ?? 1) - 1;
    if (left === 0) this.#underWay.delete(host);
    else this.#underWay.set(host, left);
  }
}
