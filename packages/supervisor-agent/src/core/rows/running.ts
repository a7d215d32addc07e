import { type Row, stay } from '../handler.ts';
import { EMPTY_TRACKER } from '../restart-tracker.ts';
import type { Running } from '../state.ts';
import {
  asked,
  askedAnew,
  askedDown,
  endUnasked,
  goodAtMs,
  held,
  takeDown,
  takeDownFailed,
  unknown,
} from '../transitions.ts';
import { afterRecovery, notesDependencies, notOrphaned } from './shared.ts';

export const running = {
  ...afterRecovery,
  ...notesDependencies,
  start: (state) => stay(state, 'already running'),
  stop: (state, event, context) =>
    takeDown(state, askedDown(state.persisted), { kind: 'start' }, asked('stop', event), context),
  restart: (state, event, context) =>
    takeDown(state, askedAnew(state.persisted), { kind: 'start' }, asked('restart', event), context),
  hold: (state, _, context) =>
    takeDown(state, held(state.persisted), { kind: 'start' }, 'the system is being stopped', context),
  forget: notOrphaned,
  'facts-unavailable': (state, { reason }) => ({
    ...unknown(state, reason),
    effects: [{ do: 'stop-probes', generation: state.persisted.generation }],
  }),
  'orphan-found': (state) => stay(state, 'its own run is proven'),

  spawned: (state) => stay(state, 'already running'),
  'start-failed': (state) => stay(state, 'already running'),
  'startup-passed': (state) => stay(state, 'already started'),
  'startup-failed': (state) => stay(state, 'already started'),
  // Readiness never kills. Time that is not ready is no good time, so it starts over.
  ready: (state, _, context) => {
    if (state.ready === 'yes') return stay(state, 'already ready');
    const goodAt = state.ready === 'no' ? goodAtMs(state.persisted, context) : state.goodAtMs;
    return { state: { ...state, ready: 'yes', goodAtMs: goodAt }, effects: [], reason: 'ready' };
  },
  'not-ready': (state, { reason }) => ({
    state: { ...state, ready: 'no', goodAtMs: null },
    effects: [],
    reason: `not ready: ${reason}`,
  }),
  'liveness-failed': (state, { reason }, context) => {
    if (!context.policy.autoRestart) return stay(state, `${reason}; left running, auto_restart is off`);
    const good = state.ready === 'no' ? null : goodAtMs(state.persisted, context);
    if (state.isAskingRecovery) return { state: { ...state, goodAtMs: good }, effects: [], reason };
    return {
      state: { ...state, goodAtMs: good, isAskingRecovery: true },
      effects: [{ do: 'ask-recovery', generation: state.persisted.generation, reason }],
      reason: `${reason}; asks for permission to restart`,
    };
  },
  'recovery-granted': (state, { reason }, context) => takeDownFailed(state, reason, context),
  'recovery-denied': (state, { reason }) => ({
    state: { ...state, isAskingRecovery: false },
    effects: [],
    reason: `left running: ${reason}`,
  }),
  exited: (state, { exit, note }, context) => endUnasked(state, exit, context, note),
  'tree-gone': (state, _, context) => endUnasked(state, { kind: 'unknown' }, context),
  deadline: (state) => ({ state: trusted(state), effects: [], reason: 'has run well for long enough' }),
} satisfies Row<'running'>;

function trusted(state: Running): Running {
  return { ...state, goodAtMs: null, persisted: { ...state.persisted, tracker: EMPTY_TRACKER, failure: null } };
}
