import { type Context, type Row, type Step, stay } from '../handler.ts';
import { asked, askedDown, askedUp, begin, held, stopped } from '../moves.ts';
import type { InBackoff } from '../state.ts';
import { afterRecovery, notOrphaned, toOrphaned, toUnknown, withoutRun } from './shared.ts';

export const backoff = {
  ...withoutRun,
  ...afterRecovery,
  start: (state, event, context) => beginNow(state, asked('start', event), context),
  restart: (state, event, context) => beginNow(state, asked('restart', event), context),
  stop: ({ memory }, event) => stopped(askedDown(memory), asked('stop', event)),
  hold: ({ memory }) => stopped(held(memory), 'the system is being stopped'),
  forget: notOrphaned,
  'dependencies-met': (state) => stay(state, 'dependencies are met already'),
  'dependencies-unmet': ({ memory, untilMs }, { reason }) => ({
    state: { name: 'pending', memory: { ...memory, unmetReason: reason }, restartAtMs: untilMs },
    effects: [],
    reason,
  }),
  'facts-unavailable': toUnknown,
  'orphan-found': toOrphaned,
  deadline: ({ memory, untilMs }, _, context) => begin(memory, untilMs, 'backoff is over', context),
} satisfies Row<'backoff'>;

/** A person's command waits for no backoff and costs no budget. */
function beginNow({ memory }: InBackoff, reason: string, context: Context): Step {
  return begin(askedUp(memory), null, reason, context);
}
