import { type Row, remember } from '../handler.ts';
import { asked, askedDown, askedUp, beginAfterRecovery, endAway, held, resume } from '../moves.ts';
import { noDeadline, notesDependencies, toOrphaned, toUnknown, withoutRun } from './shared.ts';

export const orphaned = {
  ...withoutRun,
  ...notesDependencies,
  start: (state) => remember(state, askedUp(state.memory), `not touched: ${state.reason}`),
  restart: (state) => remember(state, askedUp(state.memory), `not touched: ${state.reason}`),
  stop: (state) => remember(state, askedDown(state.memory), `not touched: ${state.reason}`),
  hold: (state) => remember(state, held(state.memory), `not touched: ${state.reason}`),
  forget: ({ memory }, event, context) => beginAfterRecovery(memory, asked('forget', event), context),
  'facts-unavailable': toUnknown,
  'orphan-found': toOrphaned,
  adopted: resume,
  'exited-while-away': ({ memory }, event, context) => endAway(memory, event, context),
  'nothing-found': ({ memory }, _, context) => beginAfterRecovery(memory, 'the orphan is gone', context),
  exited: ({ memory }, event, context) => endAway(memory, event, context),
  'tree-gone': ({ memory }, _, context) => beginAfterRecovery(memory, 'the orphan is gone', context),
  deadline: noDeadline,
} satisfies Row<'orphaned'>;
