import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { explain } from './explain.ts';
import { gatedTo } from './gate.ts';
import { PhaseClock } from './phase-clock.ts';
import type { ProbeResult } from './result.ts';
import type { TargetOf } from './target.ts';

/** Connects, and closes at once. The kernel accepts for a program that hangs, so this proves a listener and no more. */
export async function probeTcp({ host, port, gate }: TargetOf<'tcp'>, signal: AbortSignal): Promise<ProbeResult> {
  const clock = new PhaseClock();
  if (signal.aborted) return { ...explain(signal.reason, clock.step, signal), ...clock.measure() };
  let socket: Socket | undefined;
  try {
    socket = connect({ host, port, ...gatedTo(host, gate) });
    clock.follow(socket, false);
    await once(socket, 'connect', { signal });
    return { status: 'up', ...clock.measure() };
  } catch (error) {
    return { ...explain(error, clock.step, signal), ...clock.measure() };
  } finally {
    // Nothing it may still say matters; without a listener a late error would end the process.
    socket?.on('error', () => undefined).destroy();
  }
}
