import { type Context, type Row, remember, type Step } from '../handler.ts';
import type { Pending } from '../state.ts';
import { asked, askedDown, askedUp, begin, held, stopped } from '../transitions.ts';
import { afterRecovery, noDeadline, notOrphaned, toOrphaned, toUnknown, withoutRun } from './shared.ts';

export const pending = {
  ...withoutRun,
  ...afterRecovery,
  start: insist,
  restart: insist,
  stop: ({ persisted }, event) => stopped(askedDown(persisted), asked('stop', event)),
  hold: ({ persisted }) => stopped(held(persisted), 'the system is being stopped'),
  forget: notOrphaned,
  'dependencies-met': ({ persisted, restartAtMs }, _, context) =>
    begin({ ...persisted, unmetReason: null }, restartAtMs, 'dependencies are met', context),
  'dependencies-unmet': (state, { reason }) => remember(state, { unmetReason: reason }, reason),
  'facts-unavailable': toUnknown,
  'orphan-found': toOrphaned,
  deadline: noDeadline,
} satisfies Row<'pending'>;

/** A command bypasses backoff, never a dependency. */
function insist({ persisted }: Pending, event: { readonly by?: string }, context: Context): Step {
  return begin(askedUp(persisted), null, asked('start', event), context);
}
