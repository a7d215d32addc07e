import { PRESENCE_INTERVAL_MS, type ProberPresence, rows } from '@muster/contracts';
import type { Bus } from '@muster/contracts/bus';
import { monotonicMs } from './clock.ts';
import type { Stamp } from './publisher.ts';

export interface HeartbeatOptions {
  readonly bus: Bus;
  readonly prober: string;
  readonly version: string;
  readonly stamp: () => Stamp;
  readonly facts: () => Pick<ProberPresence, 'targets' | 'leading'>;
}

/** Says every 2 s that this prober lives; jittered by a quarter. */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  readonly #startedMs = monotonicMs();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    this.#heartbeat(0);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #heartbeat(eventLoopLagMs: number): void {
    const { bus, prober, version, stamp, facts } = this.#options;
    const uptimeSeconds = (monotonicMs() - this.#startedMs) / 1_000;
    bus.publish(
      rows.proberPresence,
      { prober },
      { ...stamp(), prober, version, uptimeSeconds, eventLoopLagMs, ...facts() },
    );
    const waitMs = PRESENCE_INTERVAL_MS * (0.875 + 0.25 * Math.random());
    const dueMs = monotonicMs() + waitMs;
    this.#timer = setTimeout(() => this.#heartbeat(Math.max(0, monotonicMs() - dueMs)), waitMs);
  }
}
