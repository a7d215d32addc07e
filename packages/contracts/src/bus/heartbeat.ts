import { PRESENCE_INTERVAL_MS } from '../messages/presence.ts';

const JITTER = 0.25;

/** What every heartbeat tells of its sender. */
export interface Pulse {
  /** Since the first one. */
  readonly uptimeSeconds: number;
  readonly eventLoopLagMs: number;
}

/** Calls `say` at once and then every two seconds, jittered by a quarter, until it is disposed. */
export function startHeartbeat(say: (pulse: Pulse) => void): Disposable {
  const startedAtMs = performance.now();
  let timer: NodeJS.Timeout;
  const beat = (dueAtMs: number): void => {
    const nowMs = performance.now();
    say({ uptimeSeconds: (nowMs - startedAtMs) / 1_000, eventLoopLagMs: Math.max(0, nowMs - dueAtMs) });
    const waitMs = PRESENCE_INTERVAL_MS * (1 + JITTER * (2 * Math.random() - 1));
    timer = setTimeout(beat, waitMs, performance.now() + waitMs);
  };
  beat(startedAtMs);
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}
