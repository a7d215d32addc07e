import { describeDuration } from '../duration.ts';
import type { Effect } from '../effect.ts';
import { describeExit } from '../exit.ts';
import { type Context, type Row, type Step, stay } from '../handler.ts';
import { type Stopping, wantsUp } from '../state.ts';
import { asked, askedAnew, askedDown, begin, follow, held, stopped, unknown } from '../transitions.ts';
import { afterRecovery, notesDependencies, notOrphaned, toOrphaned } from './shared.ts';

export const stopping = {
  ...afterRecovery,
  ...notesDependencies,
  start: (state, event) => startAfterwards(state, asked('start', event)),
  restart: (state, event) => startAfterwards(state, asked('restart', event)),
  stop: (state, event) => ({
    state: { ...state, persisted: askedDown(state.persisted) },
    effects: [],
    reason: `${asked('stop', event)}; already stopping`,
  }),
  hold: (state) => ({
    state: { ...state, persisted: held(state.persisted) },
    effects: [],
    reason: 'the system is being stopped; already stopping',
  }),
  forget: notOrphaned,
  'facts-unavailable': (state, { reason }) => unknown(state, reason),
  // Its identity could not be proven before a signal.
  'orphan-found': toOrphaned,

  // The spawn was under way when the stop was asked, so the first signal met nobody.
  spawned: (state, _, { policy }) => ({
    state,
    effects: [state.kills > 0 ? kill(state) : signal(state, policy.stopSignal)],
    reason: 'spawned after all, so asked to stop again',
  }),
  'start-failed': gone,
  'startup-passed': tooLate,
  'startup-failed': tooLate,
  ready: tooLate,
  'not-ready': tooLate,
  'liveness-failed': tooLate,
  'recovery-granted': tooLate,
  'recovery-denied': tooLate,
  exited: (state, { exit }) => stay(state, `${describeExit(exit)}; waits until its whole tree is gone`),
  'tree-gone': gone,
  deadline: (state, _, { nowMs, policy }) => ({
    state: { ...state, kills: state.kills + 1, killAtMs: nowMs + policy.killRepeatMs },
    effects: [kill(state)],
    reason:
      state.kills === 0
        ? `still there after ${describeDuration(policy.stopTimeoutMs)}; SIGKILL`
        : `still there after SIGKILL; sent again, ${state.kills + 1} times now`,
  }),
} satisfies Row<'stopping'>;

/** Start and stop race: the last wish wins, but never before the old tree is gone. */
function startAfterwards(state: Stopping, reason: string): Step {
  return {
    state: { ...state, persisted: askedAnew(state.persisted), after: { kind: 'start' } },
    effects: [],
    reason: `${reason}; will start once the old run is gone`,
  };
}

function gone({ persisted, after }: Stopping, _: unknown, context: Context): Step {
  if (!wantsUp(persisted)) return stopped(persisted, 'nothing of its tree is left');
  return after.kind === 'start'
    ? begin(persisted, null, 'the old run is gone', context)
    : follow(persisted, after, context);
}

function tooLate(state: Stopping): Step {
  return stay(state, 'already stopping');
}

function signal({ persisted }: Stopping, signal: string): Effect {
  return { do: 'signal-tree', generation: persisted.generation, signal };
}

function kill({ persisted }: Stopping): Effect {
  return { do: 'kill-tree', generation: persisted.generation };
}
