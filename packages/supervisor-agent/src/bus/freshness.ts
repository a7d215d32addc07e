import { FRESHNESS_MS, type Position } from '@muster/contracts';

/**
 * Is a quoted position one that this agent said lately? The agent remembers when it said what by its own clock, so a
 * replayed command is refused without comparing the clocks of two hosts.
 */
export class Freshness {
  readonly #epoch: number;
  /** When each position was said: oldest first. */
  readonly #saidAtMs = new Map<number, number>();

  constructor(epoch: number) {
    this.#epoch = epoch;
  }

  said(seq: number, nowMs: number): void {
    this.#saidAtMs.set(seq, nowMs);
    for (const [old, atMs] of this.#saidAtMs) {
      if (atMs > nowMs - FRESHNESS_MS) break;
      this.#saidAtMs.delete(old);
    }
  }

  isFresh({ epoch, seq }: Position, nowMs: number): boolean {
    const atMs = this.#saidAtMs.get(seq);
    return epoch === this.#epoch && atMs !== undefined && atMs > nowMs - FRESHNESS_MS;
  }
}
