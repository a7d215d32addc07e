import { type Row, remember } from '../handler.ts';
import { asked, askedDown, askedUp, beginAfterRecovery, endAway, held, resume } from '../transitions.ts';
import { noDeadline, notesDependencies, toOrphaned, toUnknown, withoutRun } from './shared.ts';

export const orphaned = {
  ...withoutRun,
  ...notesDependencies,
  start: (state) => remember(state, askedUp(state.persisted), `not touched: ${state.reason}`),
  restart: (state) => remember(state, askedUp(state.persisted), `not touched: ${state.reason}`),
  stop: (state) => remember(state, askedDown(state.persisted), `not touched: ${state.reason}`),
  hold: (state) => remember(state, held(state.persisted), `not touched: ${state.reason}`),
  forget: ({ persisted }, event, context) => beginAfterRecovery(persisted, asked('forget', event), context),
  'facts-unavailable': toUnknown,
  'orphan-found': toOrphaned,
  adopted: resume,
  'exited-while-away': ({ persisted }, event, context) => endAway(persisted, event, context),
  'nothing-found': ({ persisted }, _, context) => beginAfterRecovery(persisted, 'the orphan is gone', context),
  exited: ({ persisted }, event, context) => endAway(persisted, event, context),
  'tree-gone': ({ persisted }, _, context) => beginAfterRecovery(persisted, 'the orphan is gone', context),
  deadline: noDeadline,
} satisfies Row<'orphaned'>;
