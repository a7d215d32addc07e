/** The transitions that several states share. Each returns a whole `Step`; deadlines follow from the state. */
import { describeDuration } from './duration.ts';
import type { Effect } from './effect.ts';
import { describeExit, type Exit, isSuccess } from './exit.ts';
import type { Context, Step } from './handler.ts';
import { EMPTY_TRACKER, isClear, judgeRestart, recordRestart } from './restart-tracker.ts';
import {
  type AfterStop,
  type Failed,
  type Memory,
  type Orphaned,
  type Running,
  type Starting,
  type State,
  type Unknown,
  wantsUp,
} from './state.ts';

/** What follows a failure: a restart, or none any more. */
type Outcome = Exclude<AfterStop, { kind: 'start' }>;

/** A person wants it up: a failure is forgiven and its budget starts afresh. */
export function askedUp(memory: Memory): Memory {
  return { ...forgiven(memory), desired: 'up' };
}

export function askedDown(memory: Memory): Memory {
  return { ...forgiven(memory), desired: 'down' };
}

/** The next start of the whole system is a person's start, so nothing is held against the instance then. */
export function held(memory: Memory): Memory {
  return { ...memory, isHeld: true, heldGeneration: memory.generation, failure: null, tracker: EMPTY_TRACKER };
}

function forgiven(memory: Memory): Memory {
  return memory.failure === null ? memory : { ...memory, failure: null, tracker: EMPTY_TRACKER };
}

/** `asked to stop by anna`. */
export function asked(verb: string, { by }: { readonly by?: string }): string {
  return by === undefined ? `asked to ${verb}` : `asked to ${verb} by ${by}`;
}

export function stopped(memory: Memory, reason: string): Step {
  return { state: { name: 'stopped', memory }, effects: [], reason };
}

/**
 * Nothing runs, and something may have to: starts it, or waits for what it lacks.
 * `restartAtMs`: an automatic restart, due then; `null`: a first, manual or slow start, which the budget ignores.
 */
export function begin(memory: Memory, restartAtMs: number | null, reason: string, context: Context): Step {
  const { nowMs, policy } = context;
  if (!wantsUp(memory)) return stopped(memory, memory.isHeld ? `${reason}; the system is being stopped` : reason);
  if (memory.unmetReason !== null) {
    const waits = restartAtMs === null ? memory.unmetReason : `${reason}; ${memory.unmetReason}`;
    return { state: { name: 'pending', memory, restartAtMs }, effects: [], reason: waits };
  }
  if (restartAtMs === null) return spawn(memory, reason, context);
  if (restartAtMs > nowMs) return { state: { name: 'backoff', memory, untilMs: restartAtMs }, effects: [], reason };
  return spawn({ ...memory, tracker: recordRestart(memory.tracker, nowMs, policy.restart) }, reason, context);
}

function spawn(memory: Memory, reason: string, { nowMs, policy }: Context): Step {
  const generation = memory.generation + 1;
  return {
    state: {
      name: 'starting',
      memory: { ...memory, generation },
      isSpawned: false,
      startupDeadlineMs: nowMs + policy.startupTimeoutMs,
    },
    effects: [{ do: 'spawn', generation }],
    reason,
  };
}

/** Past its startup. Who has no readiness probe is ready by that; a job never is, its dependents wait for its end. */
export function enterRunning(memory: Memory, ready: Running['ready'], reason: string, context: Context): Step {
  return {
    state: { name: 'running', memory, ready, goodAtMs: goodAtMs(memory, context), isAskingRecovery: false },
    effects: [],
    reason,
  };
}

export function readyWithoutProbe({ policy }: Context): Running['ready'] {
  return policy.kind === 'job' || policy.hasReadinessProbe ? 'unknown' : 'yes';
}

/** When a run that is good from now on will have been good for long enough; `null` = nothing to live down. */
export function goodAtMs(memory: Memory, { nowMs, policy }: Context): number | null {
  return isClear(memory.tracker) && memory.failure === null ? null : nowMs + policy.goodRunMs;
}

/** Takes the run down; `after` is what follows if it is then still wanted up. */
export function takeDown(
  state: Starting | Running,
  memory: Memory,
  after: AfterStop,
  reason: string,
  context: Context,
): Step {
  const stopping = signalTree(memory, after, reason, context);
  return { ...stopping, effects: [{ do: 'stop-probes', generation: state.memory.generation }, ...stopping.effects] };
}

function signalTree(memory: Memory, after: AfterStop, reason: string, { nowMs, policy }: Context): Step {
  return {
    state: { name: 'stopping', memory, killAtMs: nowMs + policy.stopTimeoutMs, kills: 0, after },
    effects: [{ do: 'signal-tree', generation: memory.generation, signal: policy.stopSignal }],
    reason,
  };
}

/** The run lives but is a failure (never started, or hangs): takes it down, and what follows is decided now. */
export function takeDownFailed(state: Starting | Running, cause: string, context: Context): Step {
  const outcome = judgeFailure(state.memory, cause, true, context);
  return takeDown(state, state.memory, outcome, outcome.reason, context);
}

/** The run ended and nobody had asked for it. What is left of its tree is killed, unless the next spawn does that. */
export function endUnasked(state: Starting | Running, exit: Exit, context: Context, note?: string): Step {
  const next = followExit(state.memory, exit, context, note);
  const stopProbes: Effect = { do: 'stop-probes', generation: state.memory.generation };
  return { ...next, effects: [...next.effects, stopProbes, ...remains(state.memory, next)] };
}

/**
 * The run ended while the agent was away. What an earlier agent has decided about that stands: a failure as it was judged,
 * for no retry has failed since, and a start that it had counted. The wait for a restart that is owed begins anew.
 */
export function endAway(saved: Memory, end: RunEnd, context: Context): Step {
  const next = followAway(saved, end, context);
  return { ...next, effects: [...next.effects, ...remains(withGeneration(saved, end.generation), next)] };
}

/** `isKnown`: an earlier agent has dealt with it. */
interface RunEnd {
  readonly generation: number;
  readonly exit: Exit;
  readonly isKnown?: boolean;
}

function followAway(saved: Memory, { generation, exit, isKnown = false }: RunEnd, context: Context): Step {
  const memory = withGeneration(saved, generation);
  if (!wantsUp(memory)) return stopped(memory, `not wanted up; its last run: ${describeExit(exit)}`);
  const isDone = context.policy.kind === 'job' && isSuccess(exit);
  if (generation <= memory.heldGeneration && !isDone) {
    return begin(memory, null, 'it was stopped with the whole system', context);
  }
  const hasNext = generation < memory.generation;
  if ((isKnown || hasNext) && memory.failure !== null) return fail(memory, memory.failure, context);
  if (hasNext) return begin(memory, null, `${describeExit(exit)}; its next start was under way already`, context);
  return followExit(memory, exit, context);
}

/** A spawn clears away the remains itself: asking for it here as well would only cost time between crash and start. */
function remains(memory: Memory, next: Step): readonly Effect[] {
  return next.state.name === 'starting' ? [] : [{ do: 'kill-tree', generation: memory.generation }];
}

function followExit(memory: Memory, exit: Exit, context: Context, note?: string): Step {
  const { kind, autoRestart } = context.policy;
  const cause = note === undefined ? describeExit(exit) : `${describeExit(exit)}: ${note}`;
  if (isSuccess(exit) && (kind === 'job' || !autoRestart)) {
    const clean: Memory = { ...memory, tracker: EMPTY_TRACKER, failure: null };
    return { state: { name: 'completed', memory: clean }, effects: [], reason: cause };
  }
  return follow(memory, judgeFailure(memory, cause, true, context), context);
}

/** Nothing could be started, so nothing is left to clean. */
export function startFailed(memory: Memory, cause: string, isRetryable: boolean, context: Context): Step {
  return follow(memory, judgeFailure(memory, cause, isRetryable, context), context);
}

/** The run is gone: what was decided about its failure happens now. */
export function follow(memory: Memory, outcome: Outcome, context: Context): Step {
  return outcome.kind === 'restart'
    ? begin(memory, outcome.atMs, outcome.reason, context)
    : fail(memory, outcome.reason, context);
}

function judgeFailure(memory: Memory, cause: string, isRetryable: boolean, context: Context): Outcome {
  const { nowMs, policy, random } = context;
  const verdict = judgeRestart(memory.tracker, nowMs, policy.restart, random);
  if (policy.isSystem && (verdict.kind === 'spent' || !isRetryable || !policy.autoRestart)) {
    const reason = `${cause}; part of the system, so tried again in ${describeDuration(policy.systemRetryMs)}`;
    return { kind: 'restart', atMs: nowMs + policy.systemRetryMs, reason };
  }
  if (!policy.autoRestart) return { kind: 'fail', reason: `${cause}; auto_restart is off` };
  if (!isRetryable) return { kind: 'fail', reason: `${cause}; trying again at once cannot help` };
  if (memory.failure !== null) return { kind: 'fail', reason: `${cause}; its slow retry failed too` };
  if (verdict.kind === 'spent') return { kind: 'fail', reason: `${cause}; ${verdict.reason}` };
  return { kind: 'restart', atMs: nowMs + verdict.delayMs, reason: `${cause}; ${verdict.reason}` };
}

function fail(memory: Memory, failure: string, { nowMs, policy }: Context): Step {
  const slowRetryMs = policy.autoRestart ? policy.slowRetryMs : null;
  const state: Failed = {
    name: 'failed',
    memory: { ...memory, failure },
    retryAtMs: slowRetryMs === null ? null : nowMs + slowRetryMs,
  };
  const outlook = slowRetryMs === null ? 'no retry' : `one more try in ${describeDuration(slowRetryMs)}`;
  return { state, effects: [], reason: `${failure}; ${outlook}` };
}

/** Nothing of it lives. What had failed before the agent went away is still failed. */
export function beginAfterRecovery(memory: Memory, reason: string, context: Context): Step {
  if (wantsUp(memory) && memory.failure !== null) return fail(memory, memory.failure, context);
  return begin(memory, null, reason, context);
}

/** A proven run goes on under this agent. */
export function resume(
  state: Orphaned | Unknown,
  run: { readonly generation: number; readonly hasStarted: boolean; readonly note?: string },
  context: Context,
): Step {
  const memory = withGeneration(state.memory, run.generation);
  const note = run.note === undefined ? '' : `; ${run.note}`;
  if (!wantsUp(memory)) return signalTree(memory, { kind: 'start' }, 'adopted, and not wanted up', context);
  if (run.hasStarted || !context.policy.hasStartupProbe) {
    const step = enterRunning(memory, readyWithoutProbe(context), `adopted${note}`, context);
    return { ...step, effects: [startProbes(memory, 'readiness')] };
  }
  const startupDeadlineMs = context.nowMs + context.policy.startupTimeoutMs;
  return {
    state: { name: 'starting', memory, isSpawned: true, startupDeadlineMs },
    effects: [startProbes(memory, 'startup')],
    reason: `adopted while it was starting${note}`,
  };
}

export function startProbes({ generation }: Memory, from: 'startup' | 'readiness'): Effect {
  return { do: 'start-probes', generation, from };
}

/** The driver's records may know of a later run than a saved memory does; numbers are never used twice. */
function withGeneration(memory: Memory, generation: number): Memory {
  return { ...memory, generation: Math.max(memory.generation, generation) };
}

export function orphaned(state: State, reason: string): Step {
  return { state: { name: 'orphaned', memory: state.memory, reason }, effects: [], reason };
}

export function unknown(state: State, reason: string): Step {
  return { state: { name: 'unknown', memory: state.memory, reason }, effects: [], reason };
}
