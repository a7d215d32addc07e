import { describe, expect, test } from 'vitest';
import { type Act, settle, settleLate } from './command-outcome.ts';
import { NEVER_RUN, type PersistedState, type State } from './state.ts';

const persisted = (fields: Partial<PersistedState> = {}): PersistedState => ({
  ...NEVER_RUN,
  generation: 1,
  ...fields,
});
const running = (ready: 'yes' | 'no' | 'unknown', fields: Partial<PersistedState> = {}): State => ({
  name: 'running',
  persisted: persisted(fields),
  ready,
  goodAtMs: null,
  isAskingRecovery: false,
});
const down = (name: 'stopped' | 'completed', desired: 'up' | 'down'): State => ({
  name,
  persisted: persisted({ desired }),
});
const failed: State = { name: 'failed', persisted: persisted({ failure: 'its budget is spent' }), retryAtMs: null };
const backoff: State = { name: 'backoff', persisted: persisted({ generation: 2 }), untilMs: 9 };
const orphaned: State = { name: 'orphaned', persisted: persisted(), reason: 'not provable' };
const pending: State = { name: 'pending', persisted: persisted(), restartAtMs: null };

describe('what came of a command', () => {
  test.each<[Act['verb'], State, string | undefined]>([
    ['start', running('yes'), 'done'],
    ['start', running('unknown'), 'done'],
    ['start', running('no'), undefined],
    ['start', pending, undefined],
    ['start', down('completed', 'up'), 'done'],
    ['start', failed, 'failed'],
    ['start', backoff, 'failed'],
    ['start', orphaned, 'failed'],
    ['start', down('stopped', 'down'), undefined],
    ['stop', down('stopped', 'down'), 'done'],
    ['stop', down('completed', 'down'), 'done'],
    ['stop', { ...failed, persisted: persisted({ desired: 'down' }) }, 'done'],
    ['stop', running('yes', { desired: 'down' }), undefined],
    ['stop', orphaned, 'failed'],
    ['restart', running('yes'), undefined],
    ['restart', running('yes', { generation: 2 }), 'done'],
    ['restart', running('no', { generation: 2 }), undefined],
    ['restart', failed, 'failed'],
    ['restart', backoff, 'failed'],
    ['adopt', orphaned, undefined],
    ['adopt', running('yes'), 'done'],
    ['forget', pending, 'done'],
  ])('%s, now %j: %s', (verb, state, outcome) => {
    expect(settle({ verb, generation: 1 }, state, 'it crashed')?.outcome).toBe(outcome);
  });

  test('why it failed is why the instance is in its state', () => {
    const settled = settle({ verb: 'restart', generation: 1 }, backoff, 'exited with code 7; again in 2 s');
    expect(settled).toEqual({ outcome: 'failed', reason: 'exited with code 7; again in 2 s' });
  });

  test.each<[Act['verb'], State, string | undefined]>([
    ['restart', running('yes'), 'failed'],
    ['restart', running('yes', { generation: 2 }), 'done'],
    ['stop', running('yes'), 'failed'],
    ['start', down('stopped', 'down'), 'failed'],
    ['start', pending, undefined],
    ['restart', running('no'), undefined],
  ])('%s of before the agent was killed, now %j: %s', (verb, state, outcome) => {
    expect(settleLate({ verb, generation: 1 }, state, 'it crashed')?.outcome).toBe(outcome);
  });
});
