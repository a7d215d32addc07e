import { type Row, remember, stay } from '../handler.ts';
import { asked, askedDown, askedUp, beginAfterRecovery, endAway, held, resume } from '../moves.ts';
import type { Unknown } from '../state.ts';
import { noDeadline, notesDependencies, notOrphaned, toOrphaned, toUnknown } from './shared.ts';

/** Wishes are kept, nothing is done: the driver's recovery answer leads on. */
export const unknown = {
  ...notesDependencies,
  start: (state, event) => remember(state, askedUp(state.memory), later(asked('start', event), state)),
  restart: (state, event) => remember(state, askedUp(state.memory), later(asked('restart', event), state)),
  stop: (state, event) => remember(state, askedDown(state.memory), later(asked('stop', event), state)),
  hold: (state) => remember(state, held(state.memory), later('the system is being stopped', state)),
  forget: notOrphaned,
  'facts-unavailable': toUnknown,
  adopted: resume,
  'exited-while-away': ({ memory }, event, context) => endAway(memory, event, context),
  'nothing-found': ({ memory }, _, context) => beginAfterRecovery(memory, 'nothing of it runs', context),
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
  exited: ({ memory }, event, context) => endAway(memory, event, context),
  'tree-gone': awaitsRecovery,
  deadline: noDeadline,
} satisfies Row<'unknown'>;

function later(wish: string, { reason }: Unknown): string {
  return `${wish}; waits for the facts: ${reason}`;
}

function awaitsRecovery(state: Unknown) {
  return stay(state, `waits for the facts: ${state.reason}`);
}
