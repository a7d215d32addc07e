import { keys, type ValueOf } from '../buckets.ts';
import type { Bus, Subscription } from '../bus/bus.ts';
import type { AlertEvent } from '../messages/alert.ts';
import type { AgentVerb } from '../messages/command.ts';
import type { ComponentEvent } from '../messages/component.ts';
import type { InstanceEvent, InstanceRef } from '../messages/service.ts';
import { rows } from '../rows.ts';
import type { SubjectParams } from '../subject.ts';
import type { CommandArguments, CommandResult } from './commanding.ts';
import { type Chain, FleetCommands } from './fleet-commands.ts';
import { type ForgetOutcome, forgetHost } from './forget-host.ts';
import { Heartbeats } from './heartbeats.ts';
import { KvView } from './kv-view.ts';
import { type Measured, measure } from './measure.ts';
import { type HistoryQuery, type MetricsHistory, readMetricsHistory } from './metrics-history.ts';
import type { DashboardStanding, HostPresence, ProberStanding } from './presence.ts';

/** The buckets that a client can follow. */
const FOLLOWED_BUCKETS = ['specs', 'status', 'health', 'alerts'] as const;
export type FollowedBucket = (typeof FOLLOWED_BUCKETS)[number];

/** Whose heartbeats a client can hear. */
const FOLLOWED_SENDERS = ['host', 'prober', 'dashboard'] as const;
export type FollowedSender = (typeof FOLLOWED_SENDERS)[number];

/** How much of the fleet a client follows. What is left out it does not know. */
export interface Followed {
  /** Default: all of them. */
  readonly buckets?: readonly FollowedBucket[];
  /** Default: all of them. */
  readonly senders?: readonly FollowedSender[];
  /** Only the keys and heartbeats of this host. */
  readonly host?: string;
}

/** One thing that changed. `value` is `undefined` when the entry is gone. */
export type FleetChange =
  | {
      [B in FollowedBucket]: { readonly kind: B; readonly key: string; readonly value: ValueOf<B> | undefined };
    }[FollowedBucket]
  | { readonly kind: 'presence'; readonly host: string }
  | { readonly kind: 'prober'; readonly prober: string }
  | { readonly kind: 'dashboard'; readonly dashboard: string };

export interface FleetSnapshot {
  readonly specs: ReadonlyMap<string, ValueOf<'specs'>>;
  readonly status: ReadonlyMap<string, ValueOf<'status'>>;
  readonly health: ReadonlyMap<string, ValueOf<'health'>>;
  readonly alerts: ReadonlyMap<string, ValueOf<'alerts'>>;
  /** Hosts with more services or instances than are taken of one, and how many entries are missing here. */
  readonly excess: ReadonlyMap<string, number>;
  /** Every host that was heard within a day, or has a status. */
  readonly hosts: readonly HostPresence[];
  /** All that were heard within a day. */
  readonly probers: readonly ProberStanding[];
  readonly dashboards: readonly DashboardStanding[];
}

export interface FleetClientOptions {
  readonly bus: Bus;
  /** Who asks, for the audit: a person or a program. */
  readonly actor: string;
  /** How long an agent may take to answer; default 5 s. */
  readonly timeoutMs?: number;
  /** Monotonic milliseconds, the clock of `bus.connectedSinceMs`. */
  readonly nowMs?: () => number;
  /** Default: everything. A command that only looks up a name reads one bucket. */
  readonly follow?: Followed;
}

/**
 * The fleet as one value that stays up to date, and the way to command it. For a program that looks once and for one that
 * follows for years. The bus is its owner's to close.
 */
export class FleetClient implements Disposable {
  readonly #bus: Bus;
  readonly #actor: string;
  readonly #commands: FleetCommands;
  readonly #timeoutMs: number | undefined;
  readonly #views: { readonly [B in FollowedBucket]?: KvView<ValueOf<B>> };
  readonly #hosts: Heartbeats<typeof rows.hostPresence.template, typeof rows.hostPresence.schema> | undefined;
  readonly #probers: Heartbeats<typeof rows.proberPresence.template, typeof rows.proberPresence.schema> | undefined;
  readonly #dashboards:
    | Heartbeats<typeof rows.dashboardPresence.template, typeof rows.dashboardPresence.schema>
    | undefined;
  readonly #listeners = new Set<(change: FleetChange) => void>();

  /** Begins to follow at once. */
  constructor({ nowMs = () => performance.now(), follow = {}, ...options }: FleetClientOptions) {
    const { bus } = options;
    const { buckets = FOLLOWED_BUCKETS, senders = FOLLOWED_SENDERS, host: onlyHost } = follow;
    this.#bus = bus;
    const positionOf = (host: string) => {
      const { isAlive, heartbeat } = this.host(host);
      return isAlive ? heartbeat : undefined;
    };
    this.#commands = new FleetCommands({ ...options, positionOf });
    this.#actor = options.actor;
    this.#timeoutMs = options.timeoutMs;
    const view = <B extends FollowedBucket>(kind: B) => {
      const onChange = (key: string, value: ValueOf<B> | undefined) => this.#tell({ kind, key, value } as FleetChange);
      return new KvView<ValueOf<B>>(bus.kv(kind), onChange, onlyHost === undefined ? '>' : `${onlyHost}.>`);
    };
    this.#views = Object.fromEntries(buckets.map((bucket) => [bucket, view(bucket)]));
    const hosts = () =>
      new Heartbeats({
        bus,
        row: rows.hostPresence,
        filter: onlyHost === undefined ? {} : { host: onlyHost },
        senderOf: (params) => params.host,
        nowMs,
        onHeartbeat: (host) => this.#tell({ kind: 'presence', host }),
      });
    const probers = () =>
      new Heartbeats({
        bus,
        row: rows.proberPresence,
        senderOf: (params) => params.prober,
        nowMs,
        onHeartbeat: (prober) => this.#tell({ kind: 'prober', prober }),
      });
    const dashboards = () =>
      new Heartbeats({
        bus,
        row: rows.dashboardPresence,
        senderOf: (params) => params.dashboard,
        nowMs,
        onHeartbeat: (dashboard) => this.#tell({ kind: 'dashboard', dashboard }),
      });
    this.#hosts = senders.includes('host') ? hosts() : undefined;
    this.#probers = senders.includes('prober') ? probers() : undefined;
    this.#dashboards = senders.includes('dashboard') ? dashboards() : undefined;
  }

  /** Waits until all that is stored has been read. @throws PermissionDeniedError, or the signal's reason */
  async ready(signal: AbortSignal): Promise<void> {
    await Promise.all(Object.values(this.#views).map((view) => view.ready(signal)));
  }

  /** Everything known now. The maps go on changing: copy what must stay. */
  snapshot(): FleetSnapshot {
    const { specs, status, health, alerts } = this.#views;
    const known = status?.values ?? new Map<string, ValueOf<'status'>>();
    const hosts = new Set([...(this.#hosts?.senders() ?? []), ...[...known.values()].map(({ host }) => host)]);
    return {
      specs: specs?.values ?? new Map(),
      status: known,
      health: health?.values ?? new Map(),
      alerts: alerts?.values ?? new Map(),
      excess: this.#excess(),
      hosts: [...hosts].sort().map((host) => this.host(host)),
      probers: this.#probers?.standings().map(([prober, standing]) => ({ prober, ...standing })) ?? [],
      dashboards: this.#dashboards?.standings().map(([dashboard, standing]) => ({ dashboard, ...standing })) ?? [],
    };
  }

  host(host: string): HostPresence {
    return { host, ...(this.#hosts?.presence(host) ?? { isAlive: false }) };
  }

  /** Returns how to stop listening. */
  onChange(listener: (change: FleetChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** As `FleetCommands.command`, quoting the last heartbeat heard lately. */
  command<V extends AgentVerb>(
    host: string,
    verb: V,
    args: CommandArguments<V>,
    signal?: AbortSignal,
  ): Promise<CommandResult<V>> {
    return this.#commands.command(host, verb, args, signal);
  }

  /** What an agent says of its services now, and where it stands. */
  status(host: string, signal?: AbortSignal): Promise<CommandResult<'status'>> {
    return this.#commands.status(host, signal);
  }

  /** Who has ever probed for this fleet, as far as the stream knows. */
  async knownProbers(signal: AbortSignal): Promise<readonly string[]> {
    const stored = await this.#bus.history(rows.proberEvent, {}, { lastOfEach: true, signal });
    return stored.map(({ params }) => params.prober);
  }

  /** What became of a command, by its id: asked of the agent that it went to. */
  outcome(host: string, commandId: string, signal?: AbortSignal): Promise<CommandResult<'outcome'>> {
    return this.#commands.outcome(host, commandId, signal);
  }

  /** How far an agent is, and how far its wall clock is ahead of ours, by one question to it. */
  measure(host: string, signal?: AbortSignal): Promise<Measured> {
    return measure(() => this.status(host, signal));
  }

  /**
   * A host has been taken away: the leading prober deletes all that is stored of it, and ends its alerts. It refuses while
   * the host is heard, so this waits for its silence.
   */
  forgetHost(host: string, signal: AbortSignal): Promise<ForgetOutcome> {
    return forgetHost({ bus: this.#bus, actor: this.#actor, timeoutMs: this.#timeoutMs }, host, signal);
  }

  /** Why an instance is as it is; when its agent does not answer, with the status that the bucket has. */
  async why(ref: InstanceRef, signal?: AbortSignal): Promise<Chain> {
    const chain = await this.#commands.chain(ref, signal);
    const { host, service, instance } = ref;
    return { ...chain, status: chain.status ?? this.#views.status?.values.get(keys.instance(host, service, instance)) };
  }

  /**
   * What each host's agent last told of itself: also of a host that has no services, and is silent between two heartbeats. A
   * host that was taken away after that is left out.
   */
  async lastHostEvents(signal: AbortSignal): Promise<ReadonlyMap<string, ComponentEvent>> {
    const [told, ofProbers] = await Promise.all([
      this.#bus.history(rows.hostEvent, {}, { lastOfEach: true, signal }),
      this.#bus.history(rows.proberEvent, {}, { signal }),
    ]);
    const forgottenAt = new Map(
      ofProbers.flatMap(({ seq, message: { kind, host } }) =>
        kind === 'host-forgotten' && host !== undefined ? [[host, seq] as const] : [],
      ),
    );
    // Both are in one stream, so its order says which came last.
    const present = told.filter(({ seq, params }) => seq > (forgottenAt.get(params.host) ?? 0));
    return new Map(present.map(({ params, message }) => [params.host, message]));
  }

  /** The metrics of a host or service as a chart shows them. @throws as `readMetricsHistory` */
  history(query: HistoryQuery, signal?: AbortSignal): Promise<MetricsHistory> {
    return readMetricsHistory({ bus: this.#bus, actor: this.#actor }, query, signal);
  }

  /** Each transition from now on. */
  watchEvents(
    filter: Partial<SubjectParams<typeof rows.instanceEvent.template>>,
    handler: (event: InstanceEvent) => void,
  ): Subscription {
    return this.#bus.subscribe(rows.instanceEvent, filter, handler);
  }

  /** Each alert event from now on. */
  watchAlerts(handler: (alert: AlertEvent) => void): Subscription {
    return this.#bus.subscribe(rows.alert, {}, handler);
  }

  [Symbol.dispose](): void {
    for (const heartbeats of [this.#hosts, this.#probers, this.#dashboards]) heartbeats?.stop();
    for (const view of Object.values(this.#views)) view.stop();
    this.#listeners.clear();
  }

  #excess(): ReadonlyMap<string, number> {
    const all = new Map<string, number>();
    for (const { excess } of Object.values(this.#views)) {
      for (const [host, count] of excess) all.set(host, (all.get(host) ?? 0) + count);
    }
    return all;
  }

  #tell(change: FleetChange): void {
    for (const listener of this.#listeners) listener(change);
  }
}
