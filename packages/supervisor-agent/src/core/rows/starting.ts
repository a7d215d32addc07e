import { describeDuration } from '../duration.ts';
import { type Row, stay } from '../handler.ts';
import type { Starting } from '../state.ts';
import {
  asked,
  askedAnew,
  askedDown,
  endUnasked,
  enterRunning,
  held,
  readyWithoutProbe,
  startFailed,
  startProbes,
  takeDown,
  takeDownFailed,
  unknown,
} from '../transitions.ts';
import { afterRecovery, notesDependencies, notOrphaned, toOrphaned } from './shared.ts';

export const starting = {
  ...afterRecovery,
  ...notesDependencies,
  start: (state) => stay(state, 'already starting'),
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
  // The spawn met something alive that it could neither prove nor clear away. A run that is proven is no orphan.
  'orphan-found': (state, event) => (state.isSpawned ? stay(state, 'its own run is proven') : toOrphaned(state, event)),

  spawned: (state, { pid }, context) => {
    const reason = pid === null ? 'spawned' : `spawned as pid ${pid}`;
    if (state.isSpawned) return stay(state, 'already spawned');
    if (!context.policy.hasStartupProbe) {
      const running = enterRunning(state.persisted, readyWithoutProbe(context), reason, context);
      return { ...running, effects: [startProbes(state.persisted, 'readiness')] };
    }
    return { state: { ...state, isSpawned: true }, effects: [startProbes(state.persisted, 'startup')], reason };
  },
  'start-failed': ({ persisted }, { reason, isRetryable }, context) =>
    startFailed(persisted, reason, isRetryable, context),
  'startup-passed': ({ persisted }, _, context) =>
    enterRunning(persisted, readyWithoutProbe(context), 'startup probe passed', context),
  'startup-failed': (state, { reason }, context) => takeDownFailed(state, reason, context),
  ready: ({ persisted }, _, context) => enterRunning(persisted, 'yes', 'ready', context),
  'not-ready': notStarted,
  'liveness-failed': notStarted,
  'recovery-granted': notStarted,
  'recovery-denied': notStarted,
  exited: (state, { exit, note }, context) => endUnasked(state, exit, context, note),
  'tree-gone': (state, _, context) => endUnasked(state, { kind: 'unknown' }, context),
  deadline: (state, _, context) => {
    const limit = describeDuration(context.policy.startupTimeoutMs);
    return takeDownFailed(
      state,
      state.isSpawned ? `not started within ${limit}` : `not spawned within ${limit}`,
      context,
    );
  },
} satisfies Row<'starting'>;

function notStarted(state: Starting) {
  return stay(state, 'not started yet');
}
