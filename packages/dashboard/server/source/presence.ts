import { monitorEventLoopDelay } from 'node:perf_hooks';
import { PRESENCE_INTERVAL_MS, rows } from '@muster/contracts';
import { type Bus, uuidv7 } from '@muster/contracts/bus';

export interface PresenceOptions {
  readonly bus: Bus;
  readonly version: string;
  readonly epoch: number;
  readonly viewers: () => number;
}

/** A quarter more or less, so that a fleet does not beat as one. */
const JITTER_RATIO = 0.25;
const NANOS_PER_MS = 1_000_000;

/** Says every 2 s that this dashboard lives. Until disposed. */
export function publishPresence({ bus, version, epoch, viewers }: PresenceOptions): Disposable {
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  let seq = 0;
  let timer: ReturnType<typeof setTimeout>;
  const heartbeat = () => {
    seq += 1;
    bus.publish(
      rows.dashboardPresence,
      { dashboard: bus.id },
      {
        id: uuidv7(),
        time: new Date().toISOString(),
        source: `dashboard/${bus.id}`,
        epoch,
        seq,
        version,
        uptimeSeconds: process.uptime(),
        eventLoopLagMs: delay.percentile(99) / NANOS_PER_MS,
        dashboard: bus.id,
        viewers: viewers(),
      },
    );
    delay.reset();
    timer = setTimeout(heartbeat, PRESENCE_INTERVAL_MS * (1 + JITTER_RATIO * (2 * Math.random() - 1)));
  };
  timer = setTimeout(heartbeat, 0);
  return {
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      delay.disable();
    },
  };
}
