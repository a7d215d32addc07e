import { type Context, type Row, type Step, stay } from '../handler.ts';
import type { InBackoff } from '../state.ts';
import { asked, askedDown, askedUp, begin, held, stopped } from '../transitions.ts';
import { afterRecovery, notOrphaned, toOrphaned, toUnknown, withoutRun } from './shared.ts';

export const backoff = {
  ...withoutRun,
  ...afterRecovery,
  start: (state, event, context) => beginNow(state, asked('start', event), context),
  restart: (state, event, context) => beginNow(state, asked('restart', event), context),
  stop: ({ persisted }, event) => stopped(askedDown(persisted), asked('stop', event)),
  hold: ({ persisted }) => stopped(held(persisted), 'the system is being stopped'),
  forget: notOrphaned,
  'dependencies-met': (state) => stay(state, 'dependencies are met already'),
  'dependencies-unmet': ({ persisted, untilMs }, { reason }) => ({
    state: { name: 'pending', persisted: { ...persisted, unmetReason: reason }, restartAtMs: untilMs },
    effects: [],
    reason,
  }),
  'facts-unavailable': toUnknown,
  'orphan-found': toOrphaned,
  deadline: ({ persisted, untilMs }, _, context) => begin(persisted, untilMs, 'backoff is over', context),
} satisfies Row<'backoff'>;

/** A person's command waits for no backoff and costs no budget. */
function beginNow({ persisted }: InBackoff, reason: string, context: Context): Step {
  return begin(askedUp(persisted), null, reason, context);
}
