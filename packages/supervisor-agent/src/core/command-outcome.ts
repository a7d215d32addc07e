import type { ActingVerb } from '@muster/contracts';
import type { State, StateName } from './state.ts';

/** A command that was accepted, and the run that it found. */
export interface Act {
  readonly verb: ActingVerb;
  /** The instance's generation when the command was accepted. */
  readonly generation: number;
}

export interface Settled {
  readonly outcome: 'done' | 'failed';
  readonly reason: string;
}

/** What came of it, by the instance's state after it, and why it is in that; `undefined` while it is still under way. */
export function settle(act: Act, state: State, why: string): Settled | undefined {
  if (isDone(act, state)) return { outcome: 'done', reason: `it is ${state.name}` };
  return hasFailed(act, state) ? { outcome: 'failed', reason: why } : undefined;
}

/** As `settle`, for a command that a former agent had accepted: it may have been killed before it acted. */
export function settleLate(act: Act, state: State, why: string): Settled | undefined {
  const settled = settle(act, state, why);
  if (settled !== undefined || !isAtRest(state)) return settled;
  return { outcome: 'failed', reason: `the agent was killed before it could ${act.verb}: it is ${state.name}` };
}

function isDone({ verb, generation }: Act, state: State): boolean {
  const isUp = state.name === 'completed' || (state.name === 'running' && state.ready !== 'no');
  switch (verb) {
    case 'start':
      return isUp;
    case 'restart':
      return isUp && state.persisted.generation > generation;
    case 'stop':
      return state.persisted.desired === 'down' && DOWN.has(state.name);
    case 'adopt':
    case 'forget':
      return state.name !== 'orphaned' && state.name !== 'unknown';
  }
}

function hasFailed({ verb }: Act, { name }: State): boolean {
  if (name === 'orphaned') return verb !== 'adopt';
  return verb !== 'stop' && (name === 'failed' || name === 'backoff');
}

const DOWN: ReadonlySet<StateName> = new Set(['stopped', 'completed', 'failed']);

/** Nothing is under way: a command that has acted would show. */
function isAtRest(state: State): boolean {
  switch (state.name) {
    case 'running':
      return state.ready !== 'no';
    case 'stopped':
    case 'completed':
    case 'failed':
    case 'orphaned':
      return true;
    case 'pending':
    case 'starting':
    case 'backoff':
    case 'stopping':
    case 'unknown':
      return false;
  }
}
