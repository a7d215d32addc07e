import { type Row, remember, stay } from '../handler.ts';
import { asked, askedDown, askedUp, begin, held, stopped } from '../transitions.ts';
import { afterRecovery, noDeadline, notesDependencies, notOrphaned, toOrphaned, withoutRun } from './shared.ts';

export const completed = {
  ...withoutRun,
  ...afterRecovery,
  ...notesDependencies,
  start: ({ persisted }, event, context) => begin(askedUp(persisted), null, asked('start', event), context),
  restart: ({ persisted }, event, context) => begin(askedUp(persisted), null, asked('restart', event), context),
  stop: ({ persisted }, event) => stopped(askedDown(persisted), asked('stop', event)),
  hold: (state) => remember(state, held(state.persisted), 'already completed'),
  forget: notOrphaned,
  // What is done stays done, whoever is away: asking again afterwards could only run it twice.
  'facts-unavailable': (state) => stay(state, 'already completed'),
  'orphan-found': toOrphaned,
  deadline: noDeadline,
} satisfies Row<'completed'>;
