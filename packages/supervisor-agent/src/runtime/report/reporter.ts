/**
 * Tells the world what the instances do: every transition becomes an event that is journaled before anything else
 * happens, then the stream's, then the KV value's, in this order. What the host itself must be able to answer while the
 * bus is away (`muster status`, `muster why`) goes into the status file.
 */
import {
  type ExitStatus,
  type InstanceEvent,
  type InstanceStatus,
  keys,
  type OrderedEnvelope,
  rows,
  SignalName,
} from '@muster/contracts';
import type { Outbox } from '@muster/contracts/bus';
import type { Envelopes } from '../../bus/envelopes.ts';
import type { KvWriter } from '../../bus/kv-writer.ts';
import type { Event } from '../../core/event.ts';
import type { Exit } from '../../core/exit.ts';
import { countRestarts, isRestartLoop } from '../../core/restart-tracker.ts';
import type { State } from '../../core/state.ts';
import { monotonicNowMs, wallTimeOf } from '../../host/clock.ts';
import { keyOf } from '../../state/instance-store.ts';
import type { InstanceRunner, Transition } from '../instance/instance-runner.ts';
import type { Listener } from '../listener.ts';
import { type Hide, hideByLooks } from '../secrets.ts';
import type { ManagedService } from '../services/managed-service.ts';
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
    const { envelopes, former = [] } = this.#options;
    const { service, instance } = runner.key;
    const changedAtMs = monotonicNowMs();
    const status = this.#statusOf(
      runner,
      envelopes.next(),
      runner.state,
      'the agent has just started',
      [],
      changedAtMs,
    );
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
    const envelope = this.#options.envelopes.next();
    const status = this.#statusOf(runner, envelope, to, reason, causes, told.changedAtMs);
    const event: InstanceEvent = {
      ...envelope,
      host: status.host,
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
    const envelope = this.#options.envelopes.next();
    told.status = this.#statusOf(runner, envelope, state, reason, told.status.causes, told.changedAtMs);
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

  #statusOf(
    runner: InstanceRunner,
    envelope: OrderedEnvelope,
    state: State,
    reason: string,
    causes: readonly string[],
    changedAtMs: number,
  ): InstanceStatus {
    const { service, instance } = runner.key;
    const { persisted } = state;
    const { restart } = runner.policy;
    const { run, lastExit } = runner;
    const isAlive = state.name === 'starting' || state.name === 'running' || state.name === 'stopping';
    const nextAttemptAtMs = nextAttemptOf(state);
    return {
      ...envelope,
      host: this.#options.host,
      service,
      instance,
      generation: persisted.generation,
      state: state.name,
      ready: readinessOf(state),
      desired: persisted.desired,
      reason,
      causes: [...causes],
      changedAt: wallTimeOf(changedAtMs),
      ...(isAlive && run !== undefined && { pid: run.pid, startedAt: wallTimeOf(run.startedAtMs) }),
      ...(!isAlive && lastExit !== undefined && { exit: exitStatusOf(lastExit) }),
      restarts: countRestarts(persisted.tracker, monotonicNowMs(), restart),
      restartBudget: restart.budget,
      restartWindowMs: restart.windowMs,
      onProbation: persisted.failure !== null,
      ...(nextAttemptAtMs !== null && { nextAttemptAt: wallTimeOf(nextAttemptAtMs) }),
      system: runner.policy.isSystem,
    };
  }
}

/** What somebody asked for, and is told about also where it changes nothing. */
const WISHES: ReadonlySet<Event['type']> = new Set(['start', 'restart', 'stop']);

/** A changed wake, count or note within the same state is nobody's business but the instance's own. */
function isVisible({ from, to, event }: Transition): boolean {
  return (
    from.name !== to.name ||
    readinessOf(from) !== readinessOf(to) ||
    from.persisted.desired !== to.persisted.desired ||
    from.persisted.generation !== to.persisted.generation ||
    (from.persisted.failure === null) !== (to.persisted.failure === null) ||
    (to.name === 'pending' && from.persisted.unmetReason !== to.persisted.unmetReason) ||
    (to.name === 'running' && event.type === 'spawned') ||
    (to.name === 'orphaned' && WISHES.has(event.type)) ||
    (to.name === 'running' && (event.type === 'liveness-failed' || event.type === 'recovery-denied'))
  );
}

function isSpawn({ from, to }: Transition): boolean {
  return from.name === 'starting' && to.name === 'starting' && !from.isSpawned && to.isSpawned;
}

/** An exit is told once, however many agents find it on record. */
function isNewsOfExit(event: Event): boolean {
  return event.type === 'exited' || (event.type === 'exited-while-away' && event.isKnown !== true);
}

function readinessOf(state: State): InstanceEvent['ready'] {
  if (state.name === 'running') return state.ready;
  return state.name === 'unknown' || state.name === 'orphaned' ? 'unknown' : 'no';
}

function nextAttemptOf(state: State): number | null {
  if (state.name === 'backoff') return state.untilMs;
  return state.name === 'failed' ? state.retryAtMs : null;
}

function exitStatusOf(exit: Exit): ExitStatus {
  switch (exit.kind) {
    case 'code':
      return { code: exit.code, signal: null, known: true };
    case 'signal':
      return { code: null, signal: SignalName.parse(exit.signal), known: true };
    case 'unknown':
      return { code: null, signal: null, known: false };
  }
}
