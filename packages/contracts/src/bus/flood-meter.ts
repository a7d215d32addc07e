/*
 * Who brings more than any program of Muster has to say.
 *
 * Each measure is a bucket that leaks: what comes goes in, and what a sender may bring for ever leaks out. It runs over when a
 * sender brings a whole burst beyond that, such as no agent has even when it delivers what waited during an outage.
 */

/** What may come at once, and what may come for ever. */
export interface FlowLimit {
  readonly burst: number;
  readonly perSecond: number;
}

interface Level {
  value: number;
  atMs: number;
}

/** One measure of one kind of sender. Times are monotonic milliseconds. */
export class FloodMeter {
  readonly #limitOf: (who: string) => FlowLimit;
  readonly #levels = new Map<string, Level>();

  /** One for all, or by who it is. */
  constructor(limit: FlowLimit | ((who: string) => FlowLimit)) {
    this.#limitOf = typeof limit === 'function' ? limit : () => limit;
  }

  /** `true` when that was too much. */
  charge(who: string, amount: number, nowMs: number): boolean {
    const value = this.#levelOf(who, nowMs) + amount;
    this.#levels.set(who, { value, atMs: nowMs });
    return value > this.#limitOf(who).burst;
  }

  /** `false` when that would be too much: then it is not counted, so that who waits is let in again. */
  admits(who: string, amount: number, nowMs: number): boolean {
    const value = this.#levelOf(who, nowMs) + amount;
    if (value > this.#limitOf(who).burst) return false;
    this.#levels.set(who, { value, atMs: nowMs });
    return true;
  }

  /** Is anybody beyond that share of a burst? What has leaked out is forgotten. */
  isAnybodyAbove(fullness: number, nowMs: number): boolean {
    let isAbove = false;
    for (const who of this.#levels.keys()) {
      const value = this.#levelOf(who, nowMs);
      if (value <= 0) this.#levels.delete(who);
      else if (value > fullness * this.#limitOf(who).burst) isAbove = true;
    }
    return isAbove;
  }

  /** Once it was dealt with. */
  forget(who: string): void {
    this.#levels.delete(who);
  }

  forgetAll(isOver: (who: string) => boolean): void {
    for (const who of this.#levels.keys()) if (isOver(who)) this.#levels.delete(who);
  }

  /** Has all that it brought leaked out? */
  isEmpty(who: string, nowMs: number): boolean {
    return this.#levelOf(who, nowMs) <= 0;
  }

  #levelOf(who: string, nowMs: number): number {
    const level = this.#levels.get(who);
    if (level === undefined) return 0;
    return Math.max(0, level.value - ((nowMs - level.atMs) / 1_000) * this.#limitOf(who).perSecond);
  }
}
