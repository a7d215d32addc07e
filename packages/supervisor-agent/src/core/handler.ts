import type { Effect } from './effect.ts';
import type { EventOf, EventType } from './event.ts';
import type { Policy } from './policy.ts';
import type { State, StateName, StateOf } from './state.ts';

export interface Step {
  readonly state: State;
  readonly effects: readonly Effect[];
  /** Why, in words for people: for logs, events, command replies and tests. */
  readonly reason: string;
}

export interface Context {
  /** Monotonic. */
  readonly nowMs: number;
  readonly policy: Policy;
  /** Uniform in [0, 1). */
  readonly random: number;
}

export type Handler<N extends StateName, T extends EventType> = (
  state: StateOf<N>,
  event: EventOf<T>,
  context: Context,
) => Step;

/** One state's answer to every event. */
export type Row<N extends StateName> = { readonly [T in EventType]: Handler<N, T> };

/** Nothing to do. */
export function stay(state: State, reason: string): Step {
  return { state, effects: [], reason };
}

/** Same state, changed persisted state. */
export function remember(state: State, persisted: Partial<State['persisted']>, reason: string): Step {
  return { state: { ...state, persisted: { ...state.persisted, ...persisted } }, effects: [], reason };
}
