import { keys, type ValueOf } from '../buckets.ts';
import type { Bus, KvHandlers, Subscription } from '../bus/bus.ts';
import type { Position } from '../envelope.ts';
import { FLEET_BUCKETS, type FleetBucket, type FleetChange } from '../fleet-change.ts';
import type { AlertEvent } from '../messages/alert.ts';
import type { AgentVerb } from '../messages/command.ts';
import type { ComponentEvent } from '../messages/component.ts';
import type { AgentPresence, DashboardPresence, ProberPresence } from '../messages/presence.ts';
import type { InstanceEvent, InstanceRef, InstanceStatus, ServiceSpecEntry } from '../messages/service.ts';
import { type Listening, LOOK_EVERY_MS, look, type Patience, READER_PATIENCE, type Wakefulness } from '../presence.ts';
import { rows } from '../rows.ts';
import type { SubjectParams } from '../subject.ts';
import {
  type AskOptions,
  type Chain,
  type CommandArguments,
  type CommandResult,
  FleetCommands,
} from './fleet-commands.ts';
import { type ForgetOutcome, forgetHost } from './forget-host.ts';
import { Heartbeats, type HeartbeatsOptions, type Presence } from './heartbeats.ts';
import { KvView } from './kv-view.ts';
import { type Measured, measure } from './measure.ts';
import { type HistoryQuery, type MetricsHistory, readMetricsHistory } from './metrics-history.ts';

/** Whose heartbeats a client can hear. */
const SENDERS = ['host', 'prober', 'dashboard'] as const;
export type FollowedSender = (typeof SENDERS)[number];

/** How much of the fleet a client follows. What is left out it does not know. */
export interface Followed {
  /** Default: all of them. */
  readonly buckets?: readonly FleetBucket[];
  /** Default: all of them. */
  readonly senders?: readonly FollowedSender[];
  /** Only the keys and heartbeats of this host. */
  readonly host?: string;
}

export interface HostPresence extends Presence<AgentPresence> {
  readonly host: string;
}

export interface ProberStanding extends Presence<ProberPresence> {
  readonly prober: string;
}

export interface DashboardStanding extends Presence<DashboardPresence> {
  readonly dashboard: string;
}

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
  /** When a silent sender is missed; default: as all readers. */
  readonly patience?: Patience;
}

/** Of what is not followed nothing comes. */
const NOTHING: Subscription = { stop: () => {} };

/**
 * The fleet as one value that stays up to date, and the way to command it: the one follower of every program, whether it looks
 * once or follows for years. The bus is its owner's to close.
 */
export class FleetClient implements Disposable {
  readonly #bus: Bus;
  readonly #options: FleetClientOptions;
  readonly #nowMs: () => number;
  readonly #commands: FleetCommands;
  readonly #specs: KvView<ValueOf<'specs'>>;
  readonly #status: KvView<ValueOf<'status'>>;
  readonly #health: KvView<ValueOf<'health'>>;
  readonly #alerts: KvView<ValueOf<'alerts'>>;
  readonly #hosts: Heartbeats<AgentPresence>;
  readonly #probers: Heartbeats<ProberPresence>;
  readonly #dashboards: Heartbeats<DashboardPresence>;
  readonly #forgotten: Subscription;
  readonly #listeners = new Set<(change: FleetChange) => void>();
  readonly #timer: NodeJS.Timeout;
  #wakefulness: Wakefulness;

  /** Begins to follow at once. */
  constructor(options: FleetClientOptions) {
    const { bus, nowMs = () => performance.now(), follow = {} } = options;
    const { senders = SENDERS, host } = follow;
    this.#bus = bus;
    this.#options = options;
    this.#nowMs = nowMs;
    this.#wakefulness = { lookedAtMs: nowMs(), awakeSinceMs: nowMs() };
    this.#commands = this.as(options.actor);
    this.#specs = this.#view('specs');
    this.#status = this.#view('status');
    this.#health = this.#view('health');
    this.#alerts = this.#view('alerts');
    this.#hosts = this.#heartbeats<AgentPresence>(
      'host',
      (take) =>
        bus.subscribe(rows.hostPresence, host === undefined ? {} : { host }, (heartbeat) =>
          take(heartbeat.host, heartbeat),
        ),
      (heartbeat, before) => this.#tell({ kind: 'host-presence', heartbeat, before }),
    );
    this.#probers = this.#heartbeats<ProberPresence>(
      'prober',
      (take) => bus.subscribe(rows.proberPresence, {}, (heartbeat) => take(heartbeat.prober, heartbeat)),
      (heartbeat) => this.#tell({ kind: 'prober-presence', heartbeat }),
    );
    this.#dashboards = this.#heartbeats<DashboardPresence>(
      'dashboard',
      (take) => bus.subscribe(rows.dashboardPresence, {}, (heartbeat) => take(heartbeat.dashboard, heartbeat)),
      (heartbeat) => this.#tell({ kind: 'dashboard-presence', heartbeat }),
    );
    const onProberEvent = ({ kind, host: gone }: ComponentEvent) => {
      if (kind === 'host-forgotten' && gone !== undefined) this.forgotten(gone);
    };
    this.#forgotten = senders.includes('host') ? bus.subscribe(rows.proberEvent, {}, onProberEvent) : NOTHING;
    this.#timer = setInterval(() => this.#listening(), LOOK_EVERY_MS);
    this.#timer.unref();
  }

  /** Waits until all that is stored has been read. @throws PermissionDeniedError, or the signal's reason */
  async ready(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#views().map((view) => view.ready(signal)));
  }

  /** Everything known now. The maps go on changing: copy what must stay. */
  snapshot(): FleetSnapshot {
    return {
      specs: this.specs,
      status: this.statuses,
      health: this.#health.values,
      alerts: this.alerts,
      excess: this.#excess(),
      hosts: [...this.hosts()].sort().map((host) => this.host(host)),
      probers: this.#probers.presences().map(([prober, presence]) => ({ prober, ...presence })),
      dashboards: this.#dashboards.presences().map(([dashboard, presence]) => ({ dashboard, ...presence })),
    };
  }

  get specs(): FleetSnapshot['specs'] {
    return this.#specs.values;
  }

  get statuses(): FleetSnapshot['status'] {
    return this.#status.values;
  }

  get alerts(): FleetSnapshot['alerts'] {
    return this.#alerts.values;
  }

  specOf({ host, service }: Pick<InstanceRef, 'host' | 'service'>): ServiceSpecEntry | undefined {
    return this.specs.get(keys.spec(host, service));
  }

  *statusesOn(host: string): Iterable<InstanceStatus> {
    for (const key of this.keysOn('status', host)) yield this.statuses.get(key) as InstanceStatus;
  }

  /** The keys that a host has. */
  keysOn(bucket: 'specs' | 'status', host: string): Iterable<string> {
    return (bucket === 'specs' ? this.#specs : this.#status).keysOf(host);
  }

  /** Every host that was heard within a day, or has a status. */
  hosts(): ReadonlySet<string> {
    return new Set([...this.#hosts.senders(), ...this.#status.hosts()]);
  }

  host(host: string): HostPresence {
    return { host, ...this.#hosts.presence(host) };
  }

  /** It was taken away: until it is heard again nothing is known of it. */
  forgotten(host: string): void {
    this.#hosts.forget(host);
    this.#tell({ kind: 'host-forgotten', host });
  }

  /** Returns how to stop listening. */
  onChange(listener: (change: FleetChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The way to command agents in the name of somebody else. */
  as(actor: string): FleetCommands {
    const { bus, timeoutMs } = this.#options;
    const positionOf = (host: string) => {
      const { isAlive, heartbeat } = this.host(host);
      return isAlive ? heartbeat : undefined;
    };
    return new FleetCommands({ bus, actor, ...(timeoutMs !== undefined && { timeoutMs }), positionOf });
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

  /** As `FleetCommands.ask`. */
  ask<V extends AgentVerb>(host: string, verb: V, args: CommandArguments<V>, options?: AskOptions) {
    return this.#commands.ask(host, verb, args, options);
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
    return forgetHost(this.#options, host, signal);
  }

  /** Why an instance is as it is; when its agent does not answer, with the status that the bucket has. */
  async why(ref: InstanceRef, signal?: AbortSignal): Promise<Chain> {
    const chain = await this.#commands.chain(ref, signal);
    const { host, service, instance } = ref;
    return { ...chain, status: chain.status ?? this.statuses.get(keys.instance(host, service, instance)) };
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
    return readMetricsHistory({ bus: this.#bus, actor: this.#options.actor }, query, signal);
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
    clearInterval(this.#timer);
    this.#forgotten.stop();
    for (const heartbeats of [this.#hosts, this.#probers, this.#dashboards]) heartbeats.stop();
    for (const view of this.#views()) view.stop();
    this.#listeners.clear();
  }

  #view<B extends FleetBucket>(bucket: B): KvView<ValueOf<B>> {
    const { bus, follow: { buckets = FLEET_BUCKETS, host } = {} } = this.#options;
    const watch = (handlers: KvHandlers<ValueOf<B>>) => {
      if (buckets.includes(bucket)) return bus.kv(bucket).watch(handlers, host === undefined ? '>' : `${host}.>`);
      handlers.onReady();
      return NOTHING;
    };
    return new KvView(watch, {
      onListed: (entries, gone) => this.#tell({ kind: 'listed', bucket, entries, gone } as FleetChange),
      onEntry: (key, value) => this.#tell({ kind: 'entry', bucket, key, value } as FleetChange),
      onExcess: (crowded, notTaken) => this.#tell({ kind: 'excess', bucket, host: crowded, notTaken }),
    });
  }

  #views() {
    return [this.#specs, this.#status, this.#health, this.#alerts];
  }

  #heartbeats<Heartbeat extends Position & { readonly time: string }>(
    sender: FollowedSender,
    subscribe: HeartbeatsOptions<Heartbeat>['subscribe'],
    onHeartbeat: HeartbeatsOptions<Heartbeat>['onHeartbeat'],
  ): Heartbeats<Heartbeat> {
    const { follow: { senders = SENDERS } = {}, patience = READER_PATIENCE } = this.#options;
    return new Heartbeats({
      subscribe: senders.includes(sender) ? subscribe : () => NOTHING,
      listening: () => this.#listening(),
      patience,
      onHeartbeat,
    });
  }

  #excess(): ReadonlyMap<string, number> {
    const all = new Map<string, number>();
    for (const { excess } of this.#views()) {
      for (const [host, count] of excess) all.set(host, (all.get(host) ?? 0) + count);
    }
    return all;
  }

  /** Also notices when this program has slept. */
  #listening(): Listening {
    const nowMs = this.#nowMs();
    const { awakeSinceMs } = this.#wakefulness;
    this.#wakefulness = look(this.#wakefulness, nowMs);
    if (this.#wakefulness.awakeSinceMs !== awakeSinceMs) this.#tell({ kind: 'overslept' });
    const { connectedSinceMs } = this.#bus;
    if (connectedSinceMs === undefined) return { sinceMs: undefined, nowMs };
    return { sinceMs: Math.max(connectedSinceMs, this.#wakefulness.awakeSinceMs), nowMs };
  }

  #tell(change: FleetChange): void {
    for (const listener of this.#listeners) listener(change);
  }
}
