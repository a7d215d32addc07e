/**
 * The life of one instance, as a total function. Times are monotonic milliseconds and come in as an argument;
 * effects are data that the runtime carries out.
 */
import type { Effect } from './effect.ts';
import type { Event, RunEvent } from './event.ts';
import { type Context, type Handler, type Step, stay } from './handler.ts';
import type { Policy } from './policy.ts';
import { deadlineOf, type State, type StateName } from './state.ts';
import { table } from './table.ts';

/**
 * One decision. Never throws, never waits, reads no clock.
 * @param nowMs monotonic; never less than in the step before
 * @param random uniform in [0, 1)
 */
export function step(state: State, event: Event, nowMs: number, policy: Policy, random: number): Step {
  const next = decide(state, event, { nowMs, policy, random });
  const wake = wakeChange(deadlineOf(state), deadlineOf(next.state), event);
  return wake === null ? next : { ...next, effects: [...next.effects, wake] };
}

function decide(state: State, event: Event, context: Context): Step {
  if (isAboutRun(event) && event.generation !== state.persisted.generation) {
    return stay(state, `late: about run ${event.generation}, the current one is ${state.persisted.generation}`);
  }
  if (event.type === 'deadline' && isEarly(state, context.nowMs)) return stay(state, 'the deadline has moved');
  // The table pairs each state with its own handlers; TypeScript cannot follow that through two lookups at once.
  const handler = table[state.name][event.type] as Handler<StateName, Event['type']>;
  return handler(state, event, context);
}

function isAboutRun(event: Event): event is RunEvent {
  return 'generation' in event && event.type !== 'adopted' && event.type !== 'exited-while-away';
}

function isEarly(state: State, nowMs: number): boolean {
  const deadlineMs = deadlineOf(state);
  return deadlineMs !== null && nowMs < deadlineMs;
}

/** A deadline that came too early has used up its wake, so it is set again. */
function wakeChange(before: number | null, after: number | null, event: Event): Effect | null {
  if (after === before && event.type !== 'deadline') return null;
  if (after !== null) return { do: 'wake-at', atMs: after };
  return before === null || event.type === 'deadline' ? null : { do: 'clear-wake' };
}
