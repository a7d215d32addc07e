import { type Context, type Row, remember, type Step } from '../handler.ts';
import { asked, askedDown, askedUp, begin, held, stopped } from '../moves.ts';
import type { Pending } from '../state.ts';
import { afterRecovery, noDeadline, notOrphaned, toOrphaned, toUnknown, withoutRun } from './shared.ts';

export const pending = {
  ...withoutRun,
  ...afterRecovery,
  start: insist,
  restart: insist,
  stop: ({ memory }, event) => stopped(askedDown(memory), asked('stop', event)),
  hold: ({ memory }) => stopped(held(memory), 'the system is being stopped'),
  forget: notOrphaned,
  'dependencies-met': ({ memory, restartAtMs }, _, context) =>
    begin({ ...memory, unmetReason: null }, restartAtMs, 'dependencies are met', context),
  'dependencies-unmet': (state, { reason }) => remember(state, { unmetReason: reason }, reason),
  'facts-unavailable': toUnknown,
  'orphan-found': toOrphaned,
  deadline: noDeadline,
} satisfies Row<'pending'>;

/** A command bypasses backoff, never a dependency. */
function insist({ memory }: Pending, event: { readonly by?: string }, context: Context): Step {
  return begin(askedUp(memory), null, asked('start', event), context);
}
