import type { z } from 'zod';
import type { Bus, Subscription } from '../bus/bus.ts';
import type { Row } from '../rows.ts';
import type { SubjectParams } from '../subject.ts';
import { type HeardHeartbeat, hear, type Presence, presenceOf } from './presence.ts';

/** What has been silent for so long, and left nothing else behind, was most likely taken away. */
const FORGET_MS = 24 * 3_600_000;

export interface HeartbeatsOptions<T extends string, S extends z.ZodType<{ time: string }>> {
  readonly bus: Bus;
  readonly row: Row<T, S>;
  /** Default: all of this kind. */
  readonly filter?: Partial<SubjectParams<T>>;
  readonly senderOf: (params: SubjectParams<T>) => string;
  /** Monotonic milliseconds, the clock of `bus.connectedSinceMs`. */
  readonly nowMs: () => number;
  /** Told of each heartbeat that is taken. */
  readonly onHeartbeat: (sender: string) => void;
}

/** The last heartbeat of every sender of one kind. */
export class Heartbeats<T extends string, S extends z.ZodType<{ time: string }>> {
  readonly #options: HeartbeatsOptions<T, S>;
  readonly #last = new Map<string, HeardHeartbeat<z.output<S>>>();
  readonly #subscription: Subscription;

  constructor(options: HeartbeatsOptions<T, S>) {
    this.#options = options;
    const { bus, row, filter = {}, senderOf, nowMs, onHeartbeat } = options;
    this.#subscription = bus.subscribe(row, filter, (heartbeat, params) => {
      const sender = senderOf(params);
      this.#last.set(sender, hear(this.#last.get(sender), heartbeat, { nowMs: nowMs(), wallMs: Date.now() }));
      onHeartbeat(sender);
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

  /** Of each of them. */
  standings(): readonly (readonly [string, Presence<z.output<S>>])[] {
    return this.senders().map((sender) => [sender, this.presence(sender)]);
  }

  stop(): void {
    this.#subscription.stop();
  }
}
