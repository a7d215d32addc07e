import { type Row, remember } from '../handler.ts';
import { asked, askedDown, askedUp, begin, held } from '../moves.ts';
import {
  afterRecovery,
  noDeadline,
  notesDependencies,
  notOrphaned,
  toOrphaned,
  toUnknown,
  withoutRun,
} from './shared.ts';

export const stopped = {
  ...withoutRun,
  ...afterRecovery,
  ...notesDependencies,
  start: ({ memory }, event, context) => begin(askedUp(memory), null, asked('start', event), context),
  restart: ({ memory }, event, context) => begin(askedUp(memory), null, asked('restart', event), context),
  stop: (state) => remember(state, askedDown(state.memory), 'already stopped'),
  hold: (state) => remember(state, held(state.memory), 'already stopped'),
  forget: notOrphaned,
  'facts-unavailable': toUnknown,
  'orphan-found': toOrphaned,
  deadline: noDeadline,
} satisfies Row<'stopped'>;
