/*
 * What connections have brought from one reading of the servers to the next. Pure: no server is asked here.
 *
 * A reading may lack what is there: a server of a cluster answers late, a page of many connections has moved on. So counters are
 * kept while nobody mentions them, and one that is seen for the first time is charged with its whole life only where it began
 * behind a reading of that very server: else it is older than what is known, and has only now come into sight.
 */

/** Never seen for so long, it has ended. */
const FORGET_AFTER_MS = 300_000;
/** It is in no list before it has logged in. */
const LOGIN_WITHIN_MS = 10_000;

/** One connection, as its server counts it. */
export interface CountedConnection {
  readonly server: string;
  readonly messages: number;
  readonly bytes: number;
  /** By the clock of its server; `undefined` where that does not say it. */
  readonly startedAtMs: number | undefined;
  /** Nobody knows yet whose it is: what it brings is charged once that is known. */
  readonly isOwned: boolean;
}

/** What it has brought since it was charged before. */
export interface ConnectionGrowth {
  readonly messages: number;
  readonly bytes: number;
  readonly isNew: boolean;
}

interface Charged {
  readonly messages: number;
  readonly bytes: number;
  readonly seenAtMs: number;
  /** It is to be counted as one that was opened. */
  readonly isNew: boolean;
}

export class ConnectionCounts {
  readonly #charged = new Map<string, Charged>();
  /** When each server has answered last, by its own clock. */
  readonly #answeredAtMs = new Map<string, number>();

  /** `answered`: the servers that did, and when by their own clocks. `nowMs` is monotonic. */
  take(
    connections: ReadonlyMap<string, CountedConnection>,
    answered: ReadonlyMap<string, number>,
    nowMs: number,
  ): ReadonlyMap<string, ConnectionGrowth> {
    const growths = new Map<string, ConnectionGrowth>();
    for (const [id, one] of connections) {
      const former = this.#charged.get(id) ?? this.#formerOf(one);
      if (one.isOwned) {
        // A counter only ever grows: what is less is an answer that was overtaken.
        const [messages, bytes] = [Math.max(one.messages, former.messages), Math.max(one.bytes, former.bytes)];
        growths.set(id, { messages: messages - former.messages, bytes: bytes - former.bytes, isNew: former.isNew });
        this.#charged.set(id, { messages, bytes, seenAtMs: nowMs, isNew: false });
      } else {
        this.#charged.set(id, { ...former, seenAtMs: nowMs });
      }
    }
    for (const [id, { seenAtMs }] of this.#charged) {
      if (nowMs - seenAtMs > FORGET_AFTER_MS) this.#charged.delete(id);
    }
    for (const [server, atMs] of answered) this.#answeredAtMs.set(server, atMs);
    return growths;
  }

  /** Also while nobody mentions it. */
  knows(id: string): boolean {
    return this.#charged.has(id);
  }

  #formerOf({ server, messages, bytes, startedAtMs }: CountedConnection): Omit<Charged, 'seenAtMs'> {
    const answeredAtMs = this.#answeredAtMs.get(server);
    const isNew =
      answeredAtMs !== undefined && startedAtMs !== undefined && startedAtMs >= answeredAtMs - LOGIN_WITHIN_MS;
    return isNew ? { messages: 0, bytes: 0, isNew } : { messages, bytes, isNew };
  }
}
