/**
 * Tells the world what the instances do: every transition becomes an event that is journaled before anything else
 * happens, then the stream's, then the KV value's, in this order. What the host itself must be able to answer while the
 * bus is away (`muster status`, `muster why`) goes into the status file.
 */
import { type InstanceEvent, type InstanceStatus, keys, rows } from '@muster/contracts';
import type { Outbox } from '@muster/contracts/bus';
import type { Envelopes } from '../../bus/envelopes.ts';
import type { KvWriter } from '../../bus/kv-writer.ts';
import { isRestartLoop } from '../../core/restart-tracker.ts';
import type { State } from '../../core/state.ts';
import { monotonicNowMs } from '../../host/clock.ts';
import { keyOf } from '../../state/instance-store.ts';
import type { InstanceRunner, Transition } from '../instance/instance-runner.ts';
import type { Listener } from '../listener.ts';
import { type Hide, hideByLooks } from '../secrets.ts';
import type { ManagedService } from '../services/managed-service.ts';
import { exitStatusOf, isNewsOfExit, isSpawn, isVisible, readinessOf, statusOf } from './instance-status.ts';
import { shortenedReason } from './shortened-reason.ts';

export interface ReporterOptions {
  readonly host: string;
  readonly envelopes: Envelopes;
  readonly outbox: Pick<Outbox, 'append'>;
  readonly statuses: Pick<KvWriter<InstanceStatus>, 'set'>;
  /** Events of before the agent's restart, so that `why` goes on where it was. */
  readonly former?: readonly InstanceEvent[];
  /** Default: by looks. */
  readonly hide?: Hide;
}

/** How many transitions of each instance `why` can look back on without the bus. */
const RECENT_EVENTS = 50;

interface Told {
  status: InstanceStatus;
  readonly recent: InstanceEvent[];
  /** Its newest event. */
  eventId?: string;
  /** Monotonic; when the state was entered. */
  changedAtMs: number;
}

export class Reporter implements Listener {
  readonly #options: ReporterOptions;
  readonly #hide: Hide;
  readonly #told = new Map<string, Told>();
  /** Whose newest event this is: older ones that are still on their way change no KV value any more. */
  readonly #newest = new Map<string, Told>();

  constructor(options: ReporterOptions) {
    this.#options = options;
    this.#hide = options.hide ?? hideByLooks;
  }

  statuses(): InstanceStatus[] {
    return [...this.#told.values()].map(({ status }) => status);
  }

  status(service: string, instance: number): InstanceStatus | undefined {
    return this.#told.get(keyOf(service, instance))?.status;
  }

  /** Oldest first. */
  recentEvents(service: string, instance: number): readonly InstanceEvent[] {
    return this.#told.get(keyOf(service, instance))?.recent ?? [];
  }

  /** Of all instances, in the order of the agents that told them. */
  allRecentEvents(): InstanceEvent[] {
    return [...this.#told.values()].flatMap(({ recent }) => recent).sort((a, b) => a.epoch - b.epoch || a.seq - b.seq);
  }

  added({ runners }: ManagedService): void {
    for (const runner of runners) this.#introduce(runner);
  }

  /** The first word on an instance: its status as it stands, without an event. */
  #introduce(runner: InstanceRunner): void {
    const { envelopes, host, former = [] } = this.#options;
    const { service, instance } = runner.key;
    const changedAtMs = monotonicNowMs();
    const status = statusOf(runner, runner.state, {
      envelope: envelopes.next(),
      host,
      reason: 'the agent has just started',
      causes: [],
      changedAtMs,
    });
    const recent = former
      .filter((event) => event.service === service && event.instance === instance)
      .slice(-RECENT_EVENTS)
      // What an earlier version wrote down is told on, too.
      .map((event) => ({ ...event, reason: this.#hide(event.reason, service) }));
    this.#told.set(keyOf(service, instance), { status, recent, changedAtMs });
    this.#put(status);
  }

  /** Journals the transition as an event, unless nothing that others can see has changed. */
  transitioned(runner: InstanceRunner, transition: Transition): void {
    const { service, instance } = runner.key;
    const told = this.#told.get(keyOf(service, instance));
    if (told === undefined) return;
    const { from, to } = transition;
    const reason = shortenedReason(this.#hide(transition.reason, service));
    if (!isVisible(transition)) {
      if (isSpawn(transition)) this.#tellSpawn(runner, told, to, reason);
      return;
    }
    // What nobody asked for goes back to what the instance did before.
    const causes = transition.causes.length > 0 ? transition.causes : told.recent.slice(-1).map(({ id }) => id);
    if (from.name !== to.name) told.changedAtMs = monotonicNowMs();
    const { envelopes, host } = this.#options;
    const envelope = envelopes.next();
    const status = statusOf(runner, to, { envelope, host, reason, causes, changedAtMs: told.changedAtMs });
    const event: InstanceEvent = {
      ...envelope,
      host,
      service,
      instance,
      generation: to.persisted.generation,
      from: from.name,
      to: to.name,
      ready: readinessOf(to),
      desired: to.persisted.desired,
      reason,
      causes: [...causes],
      // Not from the status: of a run that is followed at once by the next one, that has no exit any more.
      ...(isNewsOfExit(transition.event) && runner.lastExit !== undefined && { exit: exitStatusOf(runner.lastExit) }),
      restarts: status.restarts,
      restartBudget: status.restartBudget,
      restartLoop: isRestartLoop(to.persisted.tracker, monotonicNowMs(), runner.policy.restart),
      onProbation: to.persisted.failure !== null,
      system: status.system,
    };
    if (told.eventId !== undefined) this.#newest.delete(told.eventId);
    this.#newest.set(event.id, told);
    told.eventId = event.id;
    told.status = status;
    this.#options.outbox.append(rows.instanceEvent, { host: event.host, service, instance }, event);
    told.recent.push(event);
    if (told.recent.length > RECENT_EVENTS) told.recent.shift();
  }

  /** What is still starting has a process by now: its status says so, without an event. */
  #tellSpawn(runner: InstanceRunner, told: Told, state: State, reason: string): void {
    const { envelopes, host } = this.#options;
    const { changedAtMs, status } = told;
    told.status = statusOf(runner, state, {
      envelope: envelopes.next(),
      host,
      reason,
      causes: status.causes,
      changedAtMs,
    });
    // While the event before it is on its way to the stream, the key waits for that.
    const isOnItsWay = told.eventId !== undefined && this.#newest.has(told.eventId);
    if (!isOnItsWay) this.#put(told.status);
  }

  /** The stream has it: now the KV value may say so too. */
  delivered(eventId: string): void {
    const told = this.#newest.get(eventId);
    if (told === undefined) return;
    this.#newest.delete(eventId);
    this.#put(told.status);
  }

  #put(status: InstanceStatus): void {
    this.#options.statuses.set(keys.instance(status.host, status.service, status.instance), status);
  }
}
