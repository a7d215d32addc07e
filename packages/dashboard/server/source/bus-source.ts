import { Deadline, type InstanceEvent, type InstanceStatus, messageOf, type Position, rows } from '@muster/contracts';
import type { Bus, Subscription } from '@muster/contracts/bus';
import { FleetCommands } from '@muster/contracts/client';
import type { Action, WhyStep } from '../protocol/index.ts';
import type { BucketValues, Fact, FollowedBucket } from '../view/fleet.ts';
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

/** What is needed of a host's last heartbeat: a quote for its commands, and what its clock says. */
interface LastHeartbeat extends Position {
  readonly wallMs: number;
  readonly heardAtMs: number;
}

/** The fleet over the bus. Stops with `[Symbol.dispose]`; the bus is its owner's to close. */
export class BusSource implements FleetSource, Disposable {
  readonly #options: BusSourceOptions;
  readonly #stopping = new AbortController();
  readonly #heartbeats = new Map<string, LastHeartbeat>();
  readonly #stops: (() => void)[] = [];

  constructor(options: BusSourceOptions) {
    this.#options = options;
  }

  follow(learn: (fact: Fact) => void): void {
    const { bus } = this.#options;
    const keep = (...subscriptions: readonly Subscription[]) => {
      for (const subscription of subscriptions) this.#stops.push(() => subscription.stop());
    };
    this.#stops.push(
      bus.onConnection(({ connected, reason }) => learn({ kind: 'bus', isConnected: connected, reason })),
    );
    if (bus.isConnected) learn({ kind: 'bus', isConnected: true, reason: 'connected' });

    keep(
      bus.subscribe(rows.hostPresence, {}, (heartbeat, { host }) => {
        this.#heartbeats.set(host, {
          epoch: heartbeat.epoch,
          seq: heartbeat.seq,
          wallMs: Date.parse(heartbeat.time),
          heardAtMs: this.#options.now(),
        });
        learn({ kind: 'host-presence', heartbeat });
      }),
      bus.subscribe(rows.proberPresence, {}, (heartbeat) => learn({ kind: 'prober-presence', heartbeat })),
      bus.subscribe(rows.proberEvent, {}, ({ kind, host }) => {
        if (kind !== 'host-forgotten' || host === undefined) return;
        this.#heartbeats.delete(host);
        learn({ kind: 'host-forgotten', host });
      }),
      bus.subscribe(rows.dashboardPresence, {}, (heartbeat) => learn({ kind: 'dashboard-presence', heartbeat })),
      bus.subscribe(rows.hostMetrics, {}, (metrics) => learn({ kind: 'metrics', metrics })),
      bus.subscribe(rows.instanceProbe, {}, (report) => learn({ kind: 'probe', report })),
      bus.subscribe(rows.proberProbe, {}, (report) => learn({ kind: 'probe', report })),
      this.#watch('specs', learn),
      this.#watch('status', learn),
      this.#watch('health', learn),
      this.#watch('alerts', learn),
    );
  }

  async command(action: Action, { host, service, instance }: Target, actor: string): Promise<CommandOutcome> {
    const result = await this.#commandsOf(actor).command(host, action, {
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
      const { source, status, events } = await this.#commandsOf(actor).chain(
        { host, service, instance },
        deadline.signal,
      );
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

  #commandsOf(actor: string): FleetCommands {
    const { bus } = this.#options;
    return new FleetCommands({
      bus,
      actor,
      timeoutMs: COMMAND_TIMEOUT_MS,
      positionOf: (host) => this.#heartbeats.get(host),
    });
  }

  /** What the agent's own clock says now, by its last heartbeat. */
  #wallMsOf(host: string): number | undefined {
    const heartbeat = this.#heartbeats.get(host);
    return heartbeat === undefined ? undefined : heartbeat.wallMs + this.#options.now() - heartbeat.heardAtMs;
  }

  /** A listing is told as a whole, so that a reconnection doesn't empty the page for a moment. */
  #watch(bucket: FollowedBucket, learn: (fact: Fact) => void): Subscription {
    type Value = BucketValues[FollowedBucket];
    /** Hosts with more entries than are taken of one. */
    const crowded: string[] = [];
    let listing: Map<string, Value> | undefined = new Map();
    return this.#options.bus.kv(bucket).watch({
      onReset: () => {
        for (const host of crowded.splice(0)) learn({ kind: 'excess', bucket, host, notTaken: 0 });
        listing = new Map();
      },
      onExcess: (host, notTaken) => {
        if (!crowded.includes(host)) crowded.push(host);
        learn({ kind: 'excess', bucket, host, notTaken });
      },
      onReady: () => {
        learn({ kind: 'listed', bucket, entries: listing ?? new Map<string, Value>() } as Fact);
        listing = undefined;
      },
      onEntry: (key, value: Value | undefined) => {
        if (listing === undefined) learn({ kind: 'entry', bucket, key, value } as Fact);
        else if (value === undefined) listing.delete(key);
        else listing.set(key, value);
      },
    });
  }
}

/** Newest first. `nowMs` is the agent's own wall clock. */
function stepsOf(events: readonly InstanceEvent[], nowMs: number | undefined): WhyStep[] {
  return [...events]
    .sort((a, b) => b.epoch - a.epoch || b.seq - a.seq)
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
