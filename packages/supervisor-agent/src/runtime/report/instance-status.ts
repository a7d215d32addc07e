/** What others are told of an instance, and of which of its steps. */
import {
  type ExitStatus,
  type InstanceEvent,
  type InstanceStatus,
  type OrderedEnvelope,
  SignalName,
} from '@muster/contracts';
import type { Event } from '../../core/event.ts';
import type { Exit } from '../../core/exit.ts';
import { countRestarts } from '../../core/restart-tracker.ts';
import type { State } from '../../core/state.ts';
import { monotonicNowMs, wallTimeOf } from '../../host/clock.ts';
import type { InstanceRunner, Transition } from '../instance/instance-runner.ts';

/** Of one step: whose, why, and since when its state holds. */
export interface Told {
  readonly envelope: OrderedEnvelope;
  readonly host: string;
  readonly reason: string;
  readonly causes: readonly string[];
  /** Monotonic. */
  readonly changedAtMs: number;
}

/** Its status as of that step. */
export function statusOf(runner: InstanceRunner, state: State, told: Told): InstanceStatus {
  const { envelope, host, reason, causes, changedAtMs } = told;
  const { service, instance } = runner.key;
  const { persisted } = state;
  const { restart } = runner.policy;
  const { run, lastExit } = runner;
  const isAlive = state.name === 'starting' || state.name === 'running' || state.name === 'stopping';
  const nextAttemptAtMs = nextAttemptOf(state);
  return {
    ...envelope,
    host,
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

/** What somebody asked for, and is told about also where it changes nothing. */
const WISHES: ReadonlySet<Event['type']> = new Set(['start', 'restart', 'stop']);

/** A changed wake, count or note within the same state is nobody's business but the instance's own. */
export function isVisible({ from, to, event }: Transition): boolean {
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

export function isSpawn({ from, to }: Transition): boolean {
  return from.name === 'starting' && to.name === 'starting' && !from.isSpawned && to.isSpawned;
}

/** An exit is told once, however many agents find it on record. */
export function isNewsOfExit(event: Event): boolean {
  return event.type === 'exited' || (event.type === 'exited-while-away' && event.isKnown !== true);
}

export function readinessOf(state: State): InstanceEvent['ready'] {
  if (state.name === 'running') return state.ready;
  return state.name === 'unknown' || state.name === 'orphaned' ? 'unknown' : 'no';
}

function nextAttemptOf(state: State): number | null {
  if (state.name === 'backoff') return state.untilMs;
  return state.name === 'failed' ? state.retryAtMs : null;
}

export function exitStatusOf(exit: Exit): ExitStatus {
  switch (exit.kind) {
    case 'code':
      return { code: exit.code, signal: null, known: true };
    case 'signal':
      return { code: null, signal: SignalName.parse(exit.signal), known: true };
    case 'unknown':
      return { code: null, signal: null, known: false };
  }
}
