import type { z } from 'zod';
import type { Bus, Subscription } from '../bus/bus.ts';
import type { Position } from '../envelope.ts';
import {
  clockSkewMs,
  type Heard,
  hear,
  judgePresence,
  type Listening,
  type Patience,
  type PresenceVerdict,
} from '../presence.ts';
import type { Row } from '../rows.ts';
import type { SubjectParams } from '../subject.ts';

/** What can be said about a sender of heartbeats now. */
export interface Presence<Heartbeat> extends PresenceVerdict {
  /** It is heard. If not, whatever is known of the sender is of the past. */
  readonly isAlive: boolean;
  /** Its last heartbeat, however old. */
  readonly heartbeat?: Heartbeat;
  /** Since that heartbeat, by our own clock. */
  readonly ageMs?: number;
  /** How far its wall clock is ahead of ours. Too low by the delay of its heartbeats. */
  readonly clockSkewMs?: number;
}

/** What has been silent for so long, and left nothing else behind, was most likely taken away. */
const FORGET_MS = 24 * 3_600_000;

type HeartbeatSchema = z.ZodType<Position & { time: string }>;

export interface HeartbeatsOptions<T extends string, S extends HeartbeatSchema> {
  readonly bus: Bus;
  readonly row: Row<T, S>;
  readonly filter: Partial<SubjectParams<T>>;
  readonly senderOf: (heartbeat: z.output<S>) => string;
  readonly listening: () => Listening;
  readonly patience: Patience;
  /** Told of each heartbeat; `before`: the last one that was taken. */
  readonly onHeartbeat: (heartbeat: z.output<S>, before: z.output<S> | undefined) => void;
}

/** The last heartbeat of every sender of one kind. */
export class Heartbeats<T extends string, S extends HeartbeatSchema> {
  readonly #options: HeartbeatsOptions<T, S>;
  readonly #last = new Map<string, Heard<z.output<S>>>();
  readonly #subscription: Subscription;

  constructor(options: HeartbeatsOptions<T, S>) {
    this.#options = options;
    const { bus, row, filter, senderOf, listening, onHeartbeat } = options;
    this.#subscription = bus.subscribe(row, filter, (heartbeat) => {
      const sender = senderOf(heartbeat);
      const last = this.#last.get(sender);
      this.#last.set(sender, hear(last, heartbeat, listening().nowMs));
      onHeartbeat(heartbeat, last?.heartbeat);
    });
  }

  /** Who has been heard within the last day. */
  senders(): readonly string[] {
    const { nowMs } = this.#options.listening();
    return [...this.#last].flatMap(([sender, { heardAtMs }]) => (nowMs - heardAtMs > FORGET_MS ? [] : [sender])).sort();
  }

  presence(sender: string): Presence<z.output<S>> {
    const listening = this.#options.listening();
    const { nowMs } = listening;
    const heard = this.#last.get(sender);
    const verdict = judgePresence(heard?.heardAtMs, listening, this.#options.patience);
    const isAlive = verdict.state === 'heard';
    if (heard === undefined) return { ...verdict, isAlive };
    const { heartbeat, heardAtMs } = heard;
    const skewMs = clockSkewMs(heard, { nowMs, wallMs: Date.now() });
    return { ...verdict, isAlive, heartbeat, ageMs: nowMs - heardAtMs, clockSkewMs: skewMs };
  }

  /** Of each that was heard within the last day. */
  presences(): readonly (readonly [string, Presence<z.output<S>>])[] {
    return this.senders().map((sender) => [sender, this.presence(sender)]);
  }

  forget(sender: string): void {
    this.#last.delete(sender);
  }

  stop(): void {
    this.#subscription.stop();
  }
}
