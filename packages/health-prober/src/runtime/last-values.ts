import { setTimeout as delay } from 'node:timers/promises';
import type { Bus } from '@muster/contracts/bus';

const RETRY_MS = 500;

/** Puts last values into buckets: the newest of each key, until it is there. */
export class LastValues {
  readonly #bus: Bus;
  readonly #onProblem: (what: string, error: unknown) => void;
  readonly #stopping = new AbortController();
  readonly #newest = new Map<string, symbol>();

  constructor(bus: Bus, onProblem: (what: string, error: unknown) => void) {
    this.#bus = bus;
    this.#onProblem = onProblem;
  }

  /** An earlier put of the same `name` that has not succeeded yet is given up, and never done. */
  put(name: string, write: () => Promise<unknown>, onDone: () => void = () => {}): void {
    const mark = Symbol(name);
    this.#newest.set(name, mark);
    void this.#persist(name, mark, write, onDone);
  }

  stop(): void {
    this.#stopping.abort();
  }

  async #persist(name: string, mark: symbol, write: () => Promise<unknown>, onDone: () => void): Promise<void> {
    const { signal } = this.#stopping;
    while (this.#newest.get(name) === mark && !signal.aborted) {
      try {
        await write();
        if (this.#newest.get(name) === mark) this.#newest.delete(name);
        onDone();
        return;
      } catch (error) {
        if (this.#bus.isConnected) this.#onProblem(`cannot put '${name}', trying again`, error);
        await this.#bus.connected(signal).catch(() => undefined);
        await delay(RETRY_MS, undefined, { signal }).catch(() => undefined);
      }
    }
  }
}
