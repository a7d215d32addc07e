import type { Mood, ServiceRow } from '../../../server/protocol/index.ts';

/** The chip tells the state alone: a service that runs and is unhealthy runs, and its health cell says the rest. */
export function moodOfState({ state, mood }: Pick<ServiceRow, 'state' | 'mood'>): Mood {
  return state === 'running' ? 'good' : mood;
}
