import { type Row, remember, stay } from '../handler.ts';
import { asked, askedDown, askedUp, begin, held, stopped } from '../moves.ts';
import { afterRecovery, noDeadline, notesDependencies, notOrphaned, toOrphaned, withoutRun } from './shared.ts';

export const completed = {
  ...withoutRun,
  ...afterRecovery,
  ...notesDependencies,
  start: ({ memory }, event, context) => begin(askedUp(memory), null, asked('start', event), context),
  restart: ({ memory }, event, context) => begin(askedUp(memory), null, asked('restart', event), context),
  stop: ({ memory }, event) => stopped(askedDown(memory), asked('stop', event)),
  hold: (state) => remember(state, held(state.memory), 'already completed'),
  forget: notOrphaned,
  // What is done stays done, whoever is away: asking again afterwards could only run it twice.
  'facts-unavailable': (state) => stay(state, 'already completed'),
  'orphan-found': toOrphaned,
  deadline: noDeadline,
} satisfies Row<'completed'>;
