import { type Row, remember, stay } from '../handler.ts';
import type { Unknown } from '../state.ts';
import { asked, askedDown, askedUp, beginAfterRecovery, endAway, held, resume } from '../transitions.ts';
import { noDeadline, notesDependencies, notOrphaned, toOrphaned, toUnknown } from './shared.ts';

/** Wishes are kept, nothing is done: the driver's recovery answer leads on. */
export const unknown = {
  ...notesDependencies,
  start: (state, event) => remember(state, askedUp(state.persisted), later(asked('start', event), state)),
  restart: (state, event) => remember(state, askedUp(state.persisted), later(asked('restart', event), state)),
  stop: (state, event) => remember(state, askedDown(state.persisted), later(asked('stop', event), state)),
  hold: (state) => remember(state, held(state.persisted), later('the system is being stopped', state)),
  forget: notOrphaned,
  'facts-unavailable': toUnknown,
  adopted: resume,
  'exited-while-away': ({ persisted }, event, context) => endAway(persisted, event, context),
  'nothing-found': ({ persisted }, _, context) => beginAfterRecovery(persisted, 'nothing of it runs', context),
  'orphan-found': toOrphaned,

  spawned: awaitsRecovery,
  'start-failed': awaitsRecovery,
  'startup-passed': awaitsRecovery,
  'startup-failed': awaitsRecovery,
  ready: awaitsRecovery,
  'not-ready': awaitsRecovery,
  'liveness-failed': awaitsRecovery,
  'recovery-granted': awaitsRecovery,
  'recovery-denied': awaitsRecovery,
  exited: ({ persisted }, event, context) => endAway(persisted, event, context),
  'tree-gone': awaitsRecovery,
  deadline: noDeadline,
} satisfies Row<'unknown'>;

function later(wish: string, { reason }: Unknown): string {
  return `${wish}; waits for the facts: ${reason}`;
}

function awaitsRecovery(state: Unknown) {
  return stay(state, `waits for the facts: ${state.reason}`);
}
