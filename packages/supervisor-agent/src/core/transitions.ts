/** The transitions that several states share. Each returns a whole `Step`; deadlines follow from the state. */
import { describeDuration } from './duration.ts';
import type { Effect } from './effect.ts';
import { describeExit, type Exit, isSuccess } from './exit.ts';
import type { Context, Step } from './handler.ts';
import { decideRestart, EMPTY_TRACKER, isClear, recordRestart } from './restart-tracker.ts';
import {
  type AfterStop,
  type Failed,
  type Orphaned,
  type PersistedState,
  type Running,
  type Starting,
  type State,
  type Unknown,
  wantsUp,
} from './state.ts';

/** What follows a failure: a restart, or none any more. */
type Outcome = Exclude<AfterStop, { kind: 'start' }>;

/** A person wants it up: a failure is forgiven and its budget starts afresh. */
export function askedUp(persisted: PersistedState): PersistedState {
  return { ...forgiven(persisted), desired: 'up' };
}

/** Up again as a new run: how this one ends is what was asked for. */
export function askedAnew(persisted: PersistedState): PersistedState {
  return { ...askedUp(persisted), restartGeneration: persisted.generation };
}

export function askedDown(persisted: PersistedState): PersistedState {
  return { ...forgiven(persisted), desired: 'down' };
}

/** The next start of the whole system is a person's start, so nothing is held against the instance then. */
export function held(persisted: PersistedState): PersistedState {
  return { ...persisted, isHeld: true, heldGeneration: persisted.generation, failure: null, tracker: EMPTY_TRACKER };
}

function forgiven(persisted: PersistedState): PersistedState {
  return persisted.failure === null ? persisted : { ...persisted, failure: null, tracker: EMPTY_TRACKER };
}

/** `asked to stop by anna`. */
export function asked(verb: string, { by }: { readonly by?: string }): string {
  return by === undefined ? `asked to ${verb}` : `asked to ${verb} by ${by}`;
}

export function stopped(persisted: PersistedState, reason: string): Step {
  return { state: { name: 'stopped', persisted }, effects: [], reason };
}

/**
 * Nothing runs, and something may have to: starts it, or waits for what it lacks.
 * `restartAtMs`: an automatic restart, due then; `null`: a first, manual or slow start, which the budget ignores.
 */
export function begin(persisted: PersistedState, restartAtMs: number | null, reason: string, context: Context): Step {
  const { nowMs, policy } = context;
  if (!wantsUp(persisted))
    return stopped(persisted, persisted.isHeld ? `${reason}; the system is being stopped` : reason);
  if (persisted.unmetReason !== null) {
    const waits = restartAtMs === null ? persisted.unmetReason : `${reason}; ${persisted.unmetReason}`;
    return { state: { name: 'pending', persisted, restartAtMs }, effects: [], reason: waits };
  }
  if (restartAtMs === null) return spawn(persisted, reason, context);
  if (restartAtMs > nowMs) return { state: { name: 'backoff', persisted, untilMs: restartAtMs }, effects: [], reason };
  return spawn({ ...persisted, tracker: recordRestart(persisted.tracker, nowMs, policy.restart) }, reason, context);
}

function spawn(persisted: PersistedState, reason: string, { nowMs, policy }: Context): Step {
  const generation = persisted.generation + 1;
  return {
    state: {
      name: 'starting',
      persisted: { ...persisted, generation },
      isSpawned: false,
      startupDeadlineMs: nowMs + policy.startupTimeoutMs,
    },
    effects: [{ do: 'spawn', generation }],
    reason,
  };
}

/** Past its startup. Who has no readiness probe is ready by that; a job never is, its dependents wait for its end. */
export function enterRunning(
  persisted: PersistedState,
  ready: Running['ready'],
  reason: string,
  context: Context,
): Step {
  return {
    state: { name: 'running', persisted, ready, goodAtMs: goodAtMs(persisted, context), isAskingRecovery: false },
    effects: [],
    reason,
  };
}

export function readyWithoutProbe({ policy }: Context): Running['ready'] {
  return policy.kind === 'job' || policy.hasReadinessProbe ? 'unknown' : 'yes';
}

/** When a run that is good from now on will have been good for long enough; `null` = nothing to live down. */
export function goodAtMs(persisted: PersistedState, { nowMs, policy }: Context): number | null {
  return isClear(persisted.tracker) && persisted.failure === null ? null : nowMs + policy.goodRunMs;
}

/** Takes the run down; `after` is what follows if it is then still wanted up. */
export function takeDown(
  state: Starting | Running,
  persisted: PersistedState,
  after: AfterStop,
  reason: string,
  context: Context,
): Step {
  const stopping = signalTree(persisted, after, reason, context);
  return { ...stopping, effects: [{ do: 'stop-probes', generation: state.persisted.generation }, ...stopping.effects] };
}

function signalTree(persisted: PersistedState, after: AfterStop, reason: string, { nowMs, policy }: Context): Step {
  return {
    state: { name: 'stopping', persisted, killAtMs: nowMs + policy.stopTimeoutMs, kills: 0, after },
    effects: [{ do: 'signal-tree', generation: persisted.generation, signal: policy.stopSignal }],
    reason,
  };
}

/** The run lives but is a failure (never started, or hangs): takes it down, and what follows is decided now. */
export function takeDownFailed(state: Starting | Running, cause: string, context: Context): Step {
  const outcome = judgeFailure(state.persisted, cause, true, context);
  return takeDown(state, state.persisted, outcome, outcome.reason, context);
}

/** The run ended and nobody had asked for it. What is left of its tree is killed, unless the next spawn does that. */
export function endUnasked(state: Starting | Running, exit: Exit, context: Context, note?: string): Step {
  const next = followExit(state.persisted, exit, context, note);
  const stopProbes: Effect = { do: 'stop-probes', generation: state.persisted.generation };
  return { ...next, effects: [...next.effects, stopProbes, ...remains(state.persisted, next)] };
}

/**
 * The run ended while the agent was away. What an earlier agent has decided about that stands: a failure as it was judged,
 * for no retry has failed since, and a start that it had counted. The wait for a restart that is owed begins anew.
 */
export function endAway(saved: PersistedState, end: RunEnd, context: Context): Step {
  const next = followAway(saved, end, context);
  return { ...next, effects: [...next.effects, ...remains(withGeneration(saved, end.generation), next)] };
}

/** `isKnown`: an earlier agent has dealt with it. */
interface RunEnd {
  readonly generation: number;
  readonly exit: Exit;
  readonly isKnown?: boolean;
}

function followAway(saved: PersistedState, { generation, exit, isKnown = false }: RunEnd, context: Context): Step {
  const persisted = withGeneration(saved, generation);
  if (!wantsUp(persisted)) return stopped(persisted, `not wanted up; its last run: ${describeExit(exit)}`);
  const wish = wishToEnd(persisted, generation, exit, context);
  if (wish !== undefined) return begin(persisted, null, wish, context);
  const hasNext = generation < persisted.generation;
  if ((isKnown || hasNext) && persisted.failure !== null) return fail(persisted, persisted.failure, context);
  if (hasNext) return begin(persisted, null, `${describeExit(exit)}; its next start was under way already`, context);
  return followExit(persisted, exit, context);
}

/** Why a run had to end, unless it was a job that had come to its own end. */
function wishToEnd(
  { heldGeneration, restartGeneration }: PersistedState,
  generation: number,
  exit: Exit,
  { policy }: Context,
): string | undefined {
  if (policy.kind === 'job' && isSuccess(exit)) return undefined;
  if (generation <= heldGeneration) return 'it was stopped with the whole system';
  return generation <= restartGeneration ? 'it was asked to restart' : undefined;
}

/** A spawn clears away the remains itself: asking for it here as well would only cost time between crash and start. */
function remains(persisted: PersistedState, next: Step): readonly Effect[] {
  return next.state.name === 'starting' ? [] : [{ do: 'kill-tree', generation: persisted.generation }];
}

function followExit(persisted: PersistedState, exit: Exit, context: Context, note?: string): Step {
  const wish = wishToEnd(persisted, persisted.generation, exit, context);
  if (wish !== undefined) return begin(persisted, null, wish, context);
  const { kind, autoRestart } = context.policy;
  const cause = note === undefined ? describeExit(exit) : `${describeExit(exit)}: ${note}`;
  if (isSuccess(exit) && (kind === 'job' || !autoRestart)) {
    const clean: PersistedState = { ...persisted, tracker: EMPTY_TRACKER, failure: null };
    return { state: { name: 'completed', persisted: clean }, effects: [], reason: cause };
  }
  return follow(persisted, judgeFailure(persisted, cause, true, context), context);
}

/** Nothing could be started, so nothing is left to clean. */
export function startFailed(persisted: PersistedState, cause: string, isRetryable: boolean, context: Context): Step {
  return follow(persisted, judgeFailure(persisted, cause, isRetryable, context), context);
}

/** The run is gone: what was decided about its failure happens now. */
export function follow(persisted: PersistedState, outcome: Outcome, context: Context): Step {
  return outcome.kind === 'restart'
    ? begin(persisted, outcome.atMs, outcome.reason, context)
    : fail(persisted, outcome.reason, context);
}

function judgeFailure(persisted: PersistedState, cause: string, isRetryable: boolean, context: Context): Outcome {
  const { nowMs, policy, random } = context;
  const decision = decideRestart(persisted.tracker, nowMs, policy.restart, random);
  if (policy.isSystem && (decision.kind === 'spent' || !isRetryable || !policy.autoRestart)) {
    const reason = `${cause}; part of the system, so tried again in ${describeDuration(policy.systemRetryMs)}`;
    return { kind: 'restart', atMs: nowMs + policy.systemRetryMs, reason };
  }
  if (!policy.autoRestart) return { kind: 'fail', reason: `${cause}; auto_restart is off` };
  if (!isRetryable) return { kind: 'fail', reason: `${cause}; trying again at once cannot help` };
  if (persisted.failure !== null) return { kind: 'fail', reason: `${cause}; its slow retry failed too` };
  if (decision.kind === 'spent') return { kind: 'fail', reason: `${cause}; ${decision.reason}` };
  return { kind: 'restart', atMs: nowMs + decision.delayMs, reason: `${cause}; ${decision.reason}` };
}

function fail(persisted: PersistedState, failure: string, { nowMs, policy }: Context): Step {
  const slowRetryMs = policy.autoRestart ? policy.slowRetryMs : null;
  const state: Failed = {
    name: 'failed',
    persisted: { ...persisted, failure },
    retryAtMs: slowRetryMs === null ? null : nowMs + slowRetryMs,
  };
  const outlook = slowRetryMs === null ? 'no retry' : `one more try in ${describeDuration(slowRetryMs)}`;
  return { state, effects: [], reason: `${failure}; ${outlook}` };
}

/** Nothing of it lives. What had failed before the agent went away is still failed. */
export function beginAfterRecovery(persisted: PersistedState, reason: string, context: Context): Step {
  if (wantsUp(persisted) && persisted.failure !== null) return fail(persisted, persisted.failure, context);
  return begin(persisted, null, reason, context);
}

/** A proven run goes on under this agent. */
export function resume(
  state: Orphaned | Unknown,
  run: { readonly generation: number; readonly hasStarted: boolean; readonly note?: string },
  context: Context,
): Step {
  const persisted = withGeneration(state.persisted, run.generation);
  const note = run.note === undefined ? '' : `; ${run.note}`;
  if (!wantsUp(persisted)) return signalTree(persisted, { kind: 'start' }, 'adopted, and not wanted up', context);
  if (run.hasStarted || !context.policy.hasStartupProbe) {
    const step = enterRunning(persisted, readyWithoutProbe(context), `adopted${note}`, context);
    return { ...step, effects: [startProbes(persisted, 'readiness')] };
  }
  const startupDeadlineMs = context.nowMs + context.policy.startupTimeoutMs;
  return {
    state: { name: 'starting', persisted, isSpawned: true, startupDeadlineMs },
    effects: [startProbes(persisted, 'startup')],
    reason: `adopted while it was starting${note}`,
  };
}

export function startProbes({ generation }: PersistedState, from: 'startup' | 'readiness'): Effect {
  return { do: 'start-probes', generation, from };
}

/** The driver's records may know of a later run than the persisted state does; numbers are never used twice. */
function withGeneration(persisted: PersistedState, generation: number): PersistedState {
  return { ...persisted, generation: Math.max(persisted.generation, generation) };
}

export function orphaned(state: State, reason: string): Step {
  return { state: { name: 'orphaned', persisted: state.persisted, reason }, effects: [], reason };
}

export function unknown(state: State, reason: string): Step {
  return { state: { name: 'unknown', persisted: state.persisted, reason }, effects: [], reason };
}
