import type { z } from 'zod';
import type { Bus, Subscription } from '../bus/bus.ts';
import type { Row } from '../rows.ts';
import type { SubjectParams } from '../subject.ts';
import { type HeardBeat, hear, type Presence, presenceOf } from './presence.ts';

/** What has been silent for so long, and left nothing else behind, was most likely taken away. */
const FORGET_MS = 24 * 3_600_000;

export interface BeatsOptions<T extends string, S extends z.ZodType<{ time: string }>> {
  readonly bus: Bus;
  readonly row: Row<T, S>;
  readonly senderOf: (params: SubjectParams<T>) => string;
  /** Monotonic milliseconds, the clock of `bus.connectedSinceMs`. */
  readonly nowMs: () => number;
  /** Told of each beat that is taken. */
  readonly onBeat: (sender: string) => void;
}

/** The last beat of every sender of one kind. */
export class Beats<T extends string, S extends z.ZodType<{ time: string }>> {
  readonly #options: BeatsOptions<T, S>;
  readonly #last = new Map<string, HeardBeat<z.output<S>>>();
  readonly #subscription: Subscription;

  constructor(options: BeatsOptions<T, S>) {
    this.#options = options;
    const { bus, row, senderOf, nowMs, onBeat } = options;
    this.#subscription = bus.subscribe(row, {}, (beat, params) => {
      const sender = senderOf(params);
      this.#last.set(sender, hear(this.#last.get(sender), beat, { nowMs: nowMs(), wallMs: Date.now() }));
      onBeat(sender);
    });
  }

  /** Who has been heard within the last day. */
  senders(): readonly string[] {
    const nowMs = this.#options.nowMs();
    return [...this.#last].flatMap(([sender, { heardAtMs }]) => (nowMs - heardAtMs > FORGET_MS ? [] : [sender])).sort();
  }

  presence(sender: string): Presence<z.output<S>> {
    const { bus, nowMs } = this.#options;
    return presenceOf(this.#last.get(sender), bus.connectedSinceMs, nowMs());
  }

  stop(): void {
    this.#subscription.stop();
  }
}
