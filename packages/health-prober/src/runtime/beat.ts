import { PRESENCE_INTERVAL_MS, type ProberPresence, rows } from '@muster/contracts';
import type { Bus } from '@muster/contracts/bus';
import type { Stamp } from './announcer.ts';
import { monotonicMs } from './clock.ts';

export interface BeatOptions {
  readonly bus: Bus;
  readonly prober: string;
  readonly version: string;
  readonly stamp: () => Stamp;
  readonly facts: () => Pick<ProberPresence, 'targets' | 'leading'>;
}

/** Says every 2 s that this prober lives; jittered by a quarter. */
export class Beat {
  readonly #options: BeatOptions;
  readonly #startedMs = monotonicMs();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: BeatOptions) {
    this.#options = options;
    this.#beat(0);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #beat(eventLoopLagMs: number): void {
    const { bus, prober, version, stamp, facts } = this.#options;
    const uptimeSeconds = (monotonicMs() - this.#startedMs) / 1_000;
    bus.publish(
      rows.proberPresence,
      { prober },
      { ...stamp(), prober, version, uptimeSeconds, eventLoopLagMs, ...facts() },
    );
    const waitMs = PRESENCE_INTERVAL_MS * (0.875 + 0.25 * Math.random());
    const dueMs = monotonicMs() + waitMs;
    this.#timer = setTimeout(() => this.#beat(Math.max(0, monotonicMs() - dueMs)), waitMs);
  }
}
