/*
 * Every alert, for an observer, in the order of their stream.
 *
 * The server pushes them and goes on where it was when the observer comes back. But what it had sent to a connection that
 * broke is delivered for it. A number left out of the deliveries shows that, and after each reconnection it may be so; then
 * the probers are asked for what lies behind the last alert that was heard. What comes meanwhile waits, so that order is kept.
 * They are asked now and then as well: a consumer that somebody took away delivers nothing, and nothing shows that.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Bus } from '../bus/bus.ts';
import type { PushedMessage, Subscription } from '../bus/types.ts';
import { uuidv7 } from '../bus/uuid.ts';
import type { AlertEvent } from '../messages/alert.ts';
import { observerDelivery } from '../observers.ts';
import { proberCommands, rows } from '../rows.ts';

const ASK_TIMEOUT_MS = 5_000;
/** A prober that is started anew leads within so many attempts. */
const ATTEMPTS = 6;
const RETRY_MS = 3_000;
/** So long an alert is missed when its consumer is gone; up to half as long more, so that not everybody asks at once. */
const ASK_EVERY_MS = 60_000;
/** So many alerts are known again by their ids. */
const MAX_TOLD = 1_000;

type Pushed = PushedMessage<typeof rows.alert.template, typeof rows.alert.schema>;

/** Alerts that may have been missed: no prober could be asked for them. */
export interface AlertGap {
  /** The last one that was heard before, as its sequence in the stream. */
  readonly afterSeq: number;
  readonly reason: string;
}

export interface AlertFollowing {
  onAlert(alert: AlertEvent, seq: number): void;
  onGap(gap: AlertGap): void;
}

/** Follows until it is stopped. `afterSeq`: the last alert that an earlier run has heard; what came since is asked for. */
export function followAlerts(
  bus: Bus,
  following: AlertFollowing,
  afterSeq?: number,
  { askEveryMs = ASK_EVERY_MS } = {},
): Subscription {
  return new AlertFollower(bus, following, afterSeq, askEveryMs);
}

class AlertFollower implements Subscription {
  readonly #bus: Bus;
  readonly #following: AlertFollowing;
  readonly #stopping = new AbortController();
  readonly #subscriptions: readonly (() => void)[];
  /** Ids of the newest that were told: what is made anew after a loss of the store is stored under another sequence. */
  readonly #told = new Set<string>();
  /** The last that was told. */
  #lastSeq: number | undefined;
  #lastDeliverySeq: number | undefined;
  /** What came while the probers were asked. */
  #waiting: Pushed[] | undefined;

  constructor(bus: Bus, following: AlertFollowing, afterSeq: number | undefined, askEveryMs: number) {
    this.#bus = bus;
    this.#following = following;
    this.#lastSeq = afterSeq;
    const pushed = bus.receive(rows.alert, observerDelivery(bus.environment, bus.id), (one) => this.#onPushed(one));
    const stopListening = bus.onConnection(({ connected }) => {
      if (connected) this.#catchUp();
    });
    this.#subscriptions = [() => pushed.stop(), stopListening];
    if (bus.isConnected) this.#catchUp();
    void this.#askNowAndThen(askEveryMs);
  }

  stop(): void {
    this.#stopping.abort();
    for (const stop of this.#subscriptions) stop();
  }

  #onPushed(pushed: Pushed): void {
    const expected = (this.#lastDeliverySeq ?? pushed.deliverySeq - 1) + 1;
    this.#lastDeliverySeq = pushed.deliverySeq;
    // A consumer that was made anew counts from 1, and perhaps its stream as well: else what came in between is missing.
    if (pushed.deliverySeq < expected && pushed.seq <= (this.#lastSeq ?? 0)) this.#lastSeq = undefined;
    if (pushed.deliverySeq !== expected) this.#catchUp();
    if (this.#waiting !== undefined) this.#waiting.push(pushed);
    else this.#tell(pushed.message, pushed.seq);
  }

  /** An alert that was told, or asked for, before is not told again. */
  #tell(alert: AlertEvent, seq: number): void {
    if (this.#lastSeq !== undefined && seq <= this.#lastSeq) return;
    this.#lastSeq = seq;
    if (this.#told.has(alert.id)) return;
    if (this.#told.size >= MAX_TOLD) this.#told.delete(this.#told.values().next().value ?? '');
    this.#told.add(alert.id);
    this.#following.onAlert(alert, seq);
  }

  async #askNowAndThen(everyMs: number): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await delay(everyMs * (1 + Math.random() / 2), undefined, { signal, ref: false }).catch(() => {});
      if (this.#bus.isConnected) this.#catchUp();
    }
  }

  /** Nothing can have been missed by who has heard nothing yet. */
  #catchUp(): void {
    if (this.#lastSeq === undefined || this.#waiting !== undefined) return;
    this.#waiting = [];
    void this.#askForMissed(this.#lastSeq).then(() => {
      const waiting = this.#waiting ?? [];
      this.#waiting = undefined;
      for (const { message, seq } of waiting) this.#tell(message, seq);
    });
  }

  /** Never rejects. */
  async #askForMissed(afterSeq: number): Promise<void> {
    const { signal } = this.#stopping;
    let reason = '';
    for (let attempt = 0; attempt < ATTEMPTS && !signal.aborted; attempt++) {
      try {
        while (await this.#askOnce());
        return;
      } catch (error) {
        reason = (error as Error).message;
        await delay(RETRY_MS, undefined, { signal }).catch(() => {});
      }
    }
    if (!signal.aborted) this.#following.onGap({ afterSeq, reason });
  }

  /** True when there is more. @throws as `Bus.request` */
  async #askOnce(): Promise<boolean> {
    const { role, id } = this.#bus;
    const source = `${role}/${id}`;
    const question = {
      id: uuidv7(),
      time: new Date().toISOString(),
      source,
      actor: source,
      afterSeq: this.#lastSeq ?? 0,
    };
    const options = { timeoutMs: ASK_TIMEOUT_MS, signal: this.#stopping.signal };
    const { alerts, hasMore } = await this.#bus.request(proberCommands.alerts, {}, question, options);
    for (const { alert, seq } of alerts) this.#tell(alert, seq);
    return hasMore && alerts.length > 0;
  }
}
