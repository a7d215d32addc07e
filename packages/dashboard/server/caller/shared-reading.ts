import { setTimeout as pause } from 'node:timers/promises';

/**
 * One reading at a time, however many ask: each gets what a reading found that began after it had asked. After each there is
 * a pause as long as it took. So whoever connects as often as it can costs half a core at most.
 */
export class SharedReading<T> {
  readonly #read: () => Promise<T>;
  #free: Promise<unknown> = Promise.resolve();
  #next: Promise<T> | undefined;

  constructor(read: () => Promise<T>) {
    this.#read = read;
  }

  result(): Promise<T> {
    this.#next ??= this.#free.then(() => {
      this.#next = undefined;
      const beganAtMs = performance.now();
      const result = this.#read();
      const rest = () => pause(performance.now() - beganAtMs, undefined, { ref: false });
      this.#free = result.then(rest, rest);
      return result;
    });
    return this.#next;
  }
}
