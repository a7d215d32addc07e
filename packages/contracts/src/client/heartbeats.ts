import type { Subscription } from '../bus/bus.ts';
import type { Position } from '../envelope.ts';
import { type Heard, hear, judgePresence, type Listening, type Patience, type PresenceJudgement } from '../presence.ts';

/** What can be said about a sender of heartbeats now. */
export interface Presence<Heartbeat> extends PresenceJudgement {
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

/** So many heartbeats tell of the sender's clock: some were not delayed, and a clock that is set back shows after as many. */
const SKEW_HEARTBEATS = 8;

/**
 * How far a sender's wall clock is ahead of ours, for people: no decision hangs on it. A heartbeat that was late makes it look
 * as far behind, so the least late of the last ones tells it best.
 */
export class ClockSkew {
  readonly #skewsMs: number[] = [];

  note(skewMs: number): void {
    this.#skewsMs.push(skewMs);
    if (this.#skewsMs.length > SKEW_HEARTBEATS) this.#skewsMs.shift();
  }

  get ms(): number {
    return Math.max(...this.#skewsMs);
  }
}

/** The last heartbeat of every sender of one kind. */
export class Heartbeats<Heartbeat extends Position & { readonly time: string }> {
  readonly #options: HeartbeatsOptions<Heartbeat>;
  readonly #last = new Map<string, { heard: Heard<Heartbeat>; readonly skew: ClockSkew }>();
  readonly #subscription: Subscription;

  constructor(options: HeartbeatsOptions<Heartbeat>) {
    this.#options = options;
    const { subscribe, listening, onHeartbeat } = options;
    this.#subscription = subscribe((sender, heartbeat) => {
      const last = this.#last.get(sender);
      const heard = hear(last?.heard, heartbeat, listening().nowMs);
      const skew = last?.skew ?? new ClockSkew();
      if (heard.heartbeat === heartbeat) skew.note(Date.parse(heartbeat.time) - Date.now());
      this.#last.set(sender, { heard, skew });
      onHeartbeat(heartbeat, last?.heard.heartbeat);
    });
  }

  /** Who has been heard within the last day. */
  senders(): readonly string[] {
    const { nowMs } = this.#options.listening();
    return [...this.#last].flatMap(
      ([
        sender,
        {
          heard: { heardAtMs },
        },
      ]) => (nowMs - heardAtMs > FORGET_MS ? [] : [sender]),
    );
  }

  presence(sender: string): Presence<Heartbeat> {
    const listening = this.#options.listening();
    const { nowMs } = listening;
    const last = this.#last.get(sender);
    const verdict = judgePresence(last?.heard.heardAtMs, listening, this.#options.patience);
    const isAlive = verdict.state === 'heard';
    if (last === undefined) return { ...verdict, isAlive };
    const { heartbeat, heardAtMs } = last.heard;
    return { ...verdict, isAlive, heartbeat, ageMs: nowMs - heardAtMs, clockSkewMs: last.skew.ms };
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
