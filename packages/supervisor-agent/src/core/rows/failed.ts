import type { Row } from '../handler.ts';
import { asked, askedDown, askedUp, begin, held, stopped } from '../transitions.ts';
import { afterRecovery, notesDependencies, notOrphaned, toOrphaned, toUnknown, withoutRun } from './shared.ts';

export const failed = {
  ...withoutRun,
  ...afterRecovery,
  ...notesDependencies,
  start: ({ persisted }, event, context) => begin(askedUp(persisted), null, asked('start', event), context),
  restart: ({ persisted }, event, context) => begin(askedUp(persisted), null, asked('restart', event), context),
  stop: ({ persisted }, event) => stopped(askedDown(persisted), asked('stop', event)),
  hold: ({ persisted }) => stopped(held(persisted), 'the system is being stopped'),
  forget: notOrphaned,
  'facts-unavailable': toUnknown,
  'orphan-found': toOrphaned,
  // The failure stays persisted: this run is on probation.
  deadline: ({ persisted }, _, context) => begin(persisted, null, 'slow retry', context),
} satisfies Row<'failed'>;
