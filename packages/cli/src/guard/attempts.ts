import { messageOf } from '@muster/contracts';

/** How often the same failure is said. */
export const COMPLAIN_EVERY_MS = 60_000;

/** Work that may fail and is tried again at the next look. */
export class Attempts {
  readonly #say: (line: string) => void;
  readonly #complainedAtMs = new Map<string, number>();

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  /** `undefined` when it has failed, which is said. */
  async try<T>(what: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      const nowMs = performance.now();
      if (nowMs - (this.#complainedAtMs.get(what) ?? Number.NEGATIVE_INFINITY) >= COMPLAIN_EVERY_MS) {
        this.#complainedAtMs.set(what, nowMs);
        this.#say(`cannot ${what}: ${messageOf(error)}`);
      }
      return undefined;
    }
  }
}
