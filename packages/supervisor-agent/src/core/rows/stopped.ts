import { type Row, remember } from '../handler.ts';
import { asked, askedDown, askedUp, begin, held } from '../transitions.ts';
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
  start: ({ persisted }, event, context) => begin(askedUp(persisted), null, asked('start', event), context),
  restart: ({ persisted }, event, context) => begin(askedUp(persisted), null, asked('restart', event), context),
  stop: (state) => remember(state, askedDown(state.persisted), 'already stopped'),
  hold: (state) => remember(state, held(state.persisted), 'already stopped'),
  forget: notOrphaned,
  'facts-unavailable': toUnknown,
  'orphan-found': toOrphaned,
  deadline: noDeadline,
} satisfies Row<'stopped'>;
