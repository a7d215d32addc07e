/**
 * An orphaned key is what is stored of a host and kept by nobody: its agent lost the journal of its keys, or the host was taken
 * away. An agent cannot read the buckets, so the leading prober removes it, and only on the agent's own word: its heartbeats
 * carry the digest of its keys. When that differs from what is stored, the agent is asked what it keeps; if its answer fits
 * the digest, all else goes. Each deletion names the revision that was looked at, so what is put meanwhile stays.
 */
import {
  type AgentPresence,
  type AlertEvent,
  type FleetChange,
  type InstanceStatus,
  keys,
  NONE,
} from '@muster/contracts';
import { type Bus, keysDigest } from '@muster/contracts/bus';
import type { FleetClient } from '@muster/contracts/client';
import { isSteady, type Keeper, noteHeartbeat, type Steadiness } from '../core/steady.ts';
import { monotonicMs } from './clock.ts';

export interface OrphanedKeyCollectorOptions {
  readonly bus: Bus;
  readonly fleet: FleetClient;
  readonly onRemoved: (host: string, removed: readonly string[]) => void;
  readonly onProblem: (what: string, error: unknown) => void;
}

/** Between two looks at one host. */
const LOOK_MS = 10_000;
/** Of a host that is gone nothing is heard: what is left of it is looked at this often. */
const FORGOTTEN_LOOK_MS = 5_000;

export class OrphanedKeyCollector {
  readonly #options: OrphanedKeyCollectorOptions;
  readonly #stopListening: () => void;
  readonly #steadiness = new Map<string, Steadiness>();
  /** By host, of what is stored; absent when that has changed. */
  readonly #digests = new Map<string, string>();
  readonly #lookedAtMs = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: OrphanedKeyCollectorOptions) {
    this.#options = options;
    this.#stopListening = options.fleet.onChange((change) => this.#learn(change));
    this.#timer = setInterval(() => void this.#sweepForgotten(), FORGOTTEN_LOOK_MS);
  }

  /** Removes all that is stored of a host that was taken away. Returns how many keys that were. @throws what the bus throws */
  async forget(host: string): Promise<number> {
    this.#steadiness.delete(host);
    const stored = this.#storedOn(host);
    const removed = await Promise.all(stored.map(({ bucket, key, id }) => this.#remove(bucket, key, id)));
    return removed.filter(Boolean).length;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#stopListening();
  }

  #learn(change: FleetChange): void {
    if (change.kind === 'listed') this.#digests.clear();
    else if (change.kind === 'entry') this.#digests.delete(change.key.slice(0, change.key.indexOf('.')));
    else if (change.kind === 'host-presence') this.#hear(change.heartbeat);
  }

  #hear({ host, agentId, epoch, keysDigest: digest }: AgentPresence): void {
    const { connectedSinceMs } = this.#options.bus;
    if (connectedSinceMs === undefined) return;
    const nowMs = monotonicMs();
    const keeper = { agentId, epoch, keysDigest: digest };
    const steadiness = noteHeartbeat(this.#steadiness.get(host), keeper, nowMs, connectedSinceMs);
    this.#steadiness.set(host, steadiness);
    if (!isSteady(steadiness) || nowMs - (this.#lookedAtMs.get(host) ?? Number.NEGATIVE_INFINITY) < LOOK_MS) return;
    this.#lookedAtMs.set(host, nowMs);
    if (this.#digestOf(host) === digest && this.#leftAlerts(host).length === 0) return;
    void this.#sweep(host, keeper);
  }

  /** Never rejects. */
  async #sweep(host: string, keeper: Keeper): Promise<void> {
    const { fleet, onRemoved, onProblem } = this.#options;
    try {
      // Looked at before the question: what is put after the answer is not among it.
      const stored = this.#storedOn(host);
      const alerts = this.#leftAlerts(host);
      const answer = await fleet.status(host);
      if (answer.outcome !== 'accepted' || answer.reply.epoch !== keeper.epoch) return;
      const kept = keptKeys(answer.reply.instances);
      if (keysDigest(kept) !== keeper.keysDigest) return;
      const removed: string[] = [];
      for (const { bucket, key, id } of stored) {
        if (!kept.has(key) && (await this.#remove(bucket, key, id))) removed.push(key);
      }
      for (const [key, { id }] of alerts) if (await this.#remove('alerts', key, id)) removed.push(key);
      if (removed.length > 0) onRemoved(host, removed);
    } catch (error) {
      onProblem(`cannot remove what is left of services that '${host}' no longer has`, error);
    }
  }

  /** Alerts that are over, of hosts of which nothing else is left. Never rejects. */
  async #sweepForgotten(): Promise<void> {
    const { bus, fleet, onProblem } = this.#options;
    const sinceMs = bus.connectedSinceMs;
    if (sinceMs === undefined || monotonicMs() - sinceMs < LOOK_MS) return;
    try {
      for (const [key, { id, data }] of fleet.alerts) {
        const isKnown = this.#storedOn(data.host).length > 0 || fleet.host(data.host).heartbeat !== undefined;
        if (!isKnown && data.state === 'resolved') await this.#remove('alerts', key, id);
      }
    } catch (error) {
      onProblem('cannot remove the alerts of hosts that are forgotten', error);
    }
  }

  /** All that its agent has put. */
  #storedOn(
    host: string,
  ): readonly { readonly bucket: 'specs' | 'status'; readonly key: string; readonly id: string }[] {
    const { fleet } = this.#options;
    const stored = (bucket: 'specs' | 'status', values: ReadonlyMap<string, { readonly id: string }>) =>
      [...fleet.keysOn(bucket, host)].map((key) => ({ bucket, key, id: values.get(key)?.id ?? '' }));
    return [...stored('status', fleet.statuses), ...stored('specs', fleet.specs)];
  }

  #digestOf(host: string): string {
    const known = this.#digests.get(host);
    if (known !== undefined) return known;
    const digest = keysDigest(this.#storedOn(host).map(({ key }) => key));
    this.#digests.set(host, digest);
    return digest;
  }

  /** Alerts that are over, of services of which nothing else is left. */
  #leftAlerts(host: string): readonly (readonly [string, AlertEvent])[] {
    const { fleet } = this.#options;
    return [...fleet.alerts].filter(([, { data }]) => {
      if (data.host !== host || data.service === NONE || data.state !== 'resolved') return false;
      return fleet.specOf({ host, service: data.service }) === undefined;
    });
  }

  /** False when it is another value by now, or gone. */
  async #remove(bucket: 'specs' | 'status' | 'alerts', key: string, id: string): Promise<boolean> {
    const kv = this.#options.bus.kv(bucket);
    const entry = await kv.get(key);
    return entry !== undefined && entry.value.id === id && (await kv.deleteRevision(key, entry.revision));
  }
}

/** The keys of an agent with these instances. */
function keptKeys(instances: readonly InstanceStatus[]): ReadonlySet<string> {
  return new Set(
    instances.flatMap(({ host, service, instance }) => [
      keys.instance(host, service, instance),
      keys.spec(host, service),
    ]),
  );
}
