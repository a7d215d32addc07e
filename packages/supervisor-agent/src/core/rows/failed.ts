import type { Row } from '../handler.ts';
import { asked, askedDown, askedUp, begin, held, stopped } from '../moves.ts';
import { afterRecovery, notesDependencies, notOrphaned, toOrphaned, toUnknown, withoutRun } from './shared.ts';

export const failed = {
  ...withoutRun,
  ...afterRecovery,
  ...notesDependencies,
  start: ({ memory }, event, context) => begin(askedUp(memory), null, asked('start', event), context),
  restart: ({ memory }, event, context) => begin(askedUp(memory), null, asked('restart', event), context),
  stop: ({ memory }, event) => stopped(askedDown(memory), asked('stop', event)),
  hold: ({ memory }) => stopped(held(memory), 'the system is being stopped'),
  forget: notOrphaned,
  'facts-unavailable': toUnknown,
  'orphan-found': toOrphaned,
  // The failure stays in memory: this run is on probation.
  deadline: ({ memory }, _, context) => begin(memory, null, 'slow retry', context),
} satisfies Row<'failed'>;
