import type { Subscription } from '../bus/bus.ts';
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

export interface HeartbeatsOptions<Heartbeat> {
  /** Begins to listen. */
  readonly subscribe: (take: (sender: string, heartbeat: Heartbeat) => void) => Subscription;
  readonly listening: () => Listening;
  readonly patience: Patience;
  /** Told of each heartbeat; `before`: the last one that was taken. */
  readonly onHeartbeat: (heartbeat: Heartbeat, before: Heartbeat | undefined) => void;
}

/** The last heartbeat of every sender of one kind. */
export class Heartbeats<Heartbeat extends Position & { readonly time: string }> {
  readonly #options: HeartbeatsOptions<Heartbeat>;
  readonly #last = new Map<string, Heard<Heartbeat>>();
  readonly #subscription: Subscription;

  constructor(options: HeartbeatsOptions<Heartbeat>) {
    this.#options = options;
    const { subscribe, listening, onHeartbeat } = options;
    this.#subscription = subscribe((sender, heartbeat) => {
      const last = this.#last.get(sender);
      this.#last.set(sender, hear(last, heartbeat, listening().nowMs));
      onHeartbeat(heartbeat, last?.heartbeat);
    });
  }

  /** Who has been heard within the last day. */
  senders(): readonly string[] {
    const { nowMs } = this.#options.listening();
    return [...this.#last].flatMap(([sender, { heardAtMs }]) => (nowMs - heardAtMs > FORGET_MS ? [] : [sender]));
  }

  presence(sender: string): Presence<Heartbeat> {
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
  presences(): readonly (readonly [string, Presence<Heartbeat>])[] {
    return [...this.senders()].sort().map((sender) => [sender, this.presence(sender)]);
  }

  forget(sender: string): void {
    this.#last.delete(sender);
  }

  stop(): void {
    this.#subscription.stop();
  }
}
