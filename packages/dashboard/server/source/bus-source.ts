import {
  comparePositions,
  Deadline,
  type InstanceEvent,
  type InstanceStatus,
  messageOf,
  rows,
} from '@muster/contracts';
import type { Bus } from '@muster/contracts/bus';
import { FleetClient } from '@muster/contracts/client';
import type { Action, WhyStep } from '../protocol/index.ts';
import type { Fact } from '../view/fleet.ts';
import type { CommandOutcome, FleetSource, Target, WhyOutcome } from './fleet-source.ts';

export interface BusSourceOptions {
  readonly bus: Bus;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** An agent answers at once that it will act; acting comes later. */
const COMMAND_TIMEOUT_MS = 5_000;
/** For the agent's answer and, without one, for the stream's. */
const WHY_TIMEOUT_MS = 8_000;
const WHY_EVENTS = 20;

/** The fleet over the bus: what a fleet client follows, and what else the page shows. The bus is its owner's to close. */
export class BusSource implements FleetSource, Disposable {
  readonly #options: BusSourceOptions;
  readonly #stopping = new AbortController();
  readonly #stops: (() => void)[] = [];
  #followed: FleetClient | undefined;

  constructor(options: BusSourceOptions) {
    this.#options = options;
  }

  follow(learn: (fact: Fact) => void): void {
    const { bus, now } = this.#options;
    const fleet = new FleetClient({ bus, actor: `dashboard/${bus.id}`, timeoutMs: COMMAND_TIMEOUT_MS, nowMs: now });
    fleet.onChange(learn);
    this.#followed = fleet;
    if (bus.isConnected) learn({ kind: 'bus', isConnected: true, reason: 'connected' });
    const subscriptions = [
      bus.subscribe(rows.hostMetrics, {}, (metrics) => learn({ kind: 'metrics', metrics })),
      bus.subscribe(rows.instanceProbe, {}, (report) => learn({ kind: 'probe', report })),
      bus.subscribe(rows.proberProbe, {}, (report) => learn({ kind: 'probe', report })),
    ];
    this.#stops.push(
      bus.onConnection(({ connected, reason }) => learn({ kind: 'bus', isConnected: connected, reason })),
      () => fleet[Symbol.dispose](),
      ...subscriptions.map((subscription) => () => subscription.stop()),
    );
  }

  async command(action: Action, { host, service, instance }: Target, actor: string): Promise<CommandOutcome> {
    const result = await this.#fleet.as(actor).command(host, action, {
      service,
      ...(instance !== undefined && { instance }),
    });
    if (result.outcome !== 'accepted') return result;
    const { code, reason } = result.reply;
    return { outcome: 'accepted', commandId: result.commandId, code, reason };
  }

  async why({ host, service, instance = 0 }: Target, actor: string): Promise<WhyOutcome> {
    using deadline = new Deadline(WHY_TIMEOUT_MS, this.#stopping.signal);
    try {
      const { source, status, events } = await this.#fleet
        .as(actor)
        .chain({ host, service, instance }, deadline.signal);
      const isKnown = status !== undefined || events.length > 0;
      if (!isKnown)
        return { from: 'nobody', code: 'not-found', reason: `nothing is known of '${service}' on '${host}'` };
      return { from: source, steps: stepsOf(events, this.#wallMsOf(host)) };
    } catch (error) {
      const reason = messageOf(error);
      return {
        from: 'nobody',
        code: 'undelivered',
        reason: `neither the agent of '${host}' nor the bus tells: ${reason}`,
      };
    }
  }

  [Symbol.dispose](): void {
    this.#stopping.abort();
    for (const stop of this.#stops.splice(0)) stop();
  }

  get #fleet(): FleetClient {
    if (this.#followed === undefined)
      throw new Error('cannot use the fleet before it is followed: call follow() first');
    return this.#followed;
  }

  /** What the agent's own clock says now, by its last heartbeat. */
  #wallMsOf(host: string): number | undefined {
    const { heartbeat, ageMs = 0 } = this.#fleet.host(host);
    return heartbeat === undefined ? undefined : Date.parse(heartbeat.time) + ageMs;
  }
}

/** Newest first. `nowMs` is the agent's own wall clock. */
function stepsOf(events: readonly InstanceEvent[], nowMs: number | undefined): WhyStep[] {
  return [...events]
    .sort((a, b) => comparePositions(b, a))
    .slice(0, WHY_EVENTS)
    .map(({ id, time, from, to, reason, causes, generation, exit }) => ({
      id,
      time,
      from,
      to,
      reason,
      causes,
      generation,
      ...(nowMs !== undefined && { ageMs: Math.max(0, nowMs - Date.parse(time)) }),
      ...(exit !== undefined && { exit: exitWords(exit) }),
    }));
}

function exitWords({ known, signal, code }: NonNullable<InstanceStatus['exit']>): string {
  if (!known) return 'exit code unknown';
  return signal ?? `exit code ${code}`;
}
