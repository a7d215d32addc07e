import { setTimeout as delay } from 'node:timers/promises';
import { type InstanceStatus, rows } from '@muster/contracts';
import type { Bus } from '@muster/contracts/bus';
import type { FleetCommands } from '@muster/contracts/client';

/** A command that an agent has accepted, for one instance. */
export interface AcceptedCommand {
  readonly commandId: string;
  /** Of the instance, as last known before the command. */
  readonly status: InstanceStatus;
}

/** What the agent says came of it. `unknown`: it has not come to an end in time. */
export interface FinishedCommand {
  readonly commandId: string;
  readonly outcome: 'done' | 'failed' | 'unknown';
  /** The last word on the instance. */
  readonly status: InstanceStatus;
  readonly reason: string;
}

export interface WaitOptions {
  readonly bus: Bus;
  readonly agents: FleetCommands;
  /** Told each new state on the way. */
  readonly onProgress: (status: InstanceStatus) => void;
}

/** Events are core messages here and may be lost: so often the agent is asked anyway. */
const ASK_AGAIN_MS = 1_000;

/** Waits until the agent says that the command is done or has failed, or `signal` aborts. Events only say when to ask. */
export async function waitForOutcome(
  { commandId, status: before }: AcceptedCommand,
  { bus, agents, onProgress }: WaitOptions,
  signal: AbortSignal,
): Promise<FinishedCommand> {
  const { host, service, instance } = before;
  let wake = () => {};
  const events = bus.subscribe(rows.instanceEvent, { host, service, instance }, () => wake());
  let status = before;
  while (!signal.aborted) {
    // Made before the questions: an event that comes meanwhile is not missed.
    const changed = new Promise<void>((resolve) => {
      wake = resolve;
    });
    const asked = await agents.outcome(host, commandId, signal).catch(() => undefined);
    // Asked after the outcome, so that it is at least as new.
    const answer = await agents.status(host, signal).catch(() => undefined);
    const instances = answer?.outcome === 'accepted' ? answer.reply.instances : [];
    const now = instances.find((one) => one.service === service && one.instance === instance);
    if (now !== undefined) {
      const { outcome = 'unknown', reason = '' } = asked?.outcome === 'accepted' ? asked.reply : {};
      if (outcome === 'done' || outcome === 'failed') {
        events.stop();
        return { commandId, outcome, status: now, reason };
      }
      if (now.state !== status.state) onProgress(now);
      status = now;
    }
    await Promise.race([changed, delay(ASK_AGAIN_MS, undefined, { signal, ref: false }).catch(() => {})]);
  }
  events.stop();
  return { commandId, outcome: 'unknown', status, reason: status.reason };
}
