import type { InstanceStateName } from '@muster/contracts';
import { describe, expect, test } from 'vitest';
import { instanceStatus } from '../../test/samples.ts';
import { judgeOutcome, type Outcome, type Verb } from './outcome.ts';

type Seen = [state: InstanceStateName, generation: number, seq: number];

const status = ([state, generation, seq]: Seen) =>
  instanceStatus({ state, generation, seq, ready: 'unknown', desired: state === 'stopped' ? 'down' : 'up' });

describe('judgeOutcome', () => {
  test.each<[Verb, Seen, Seen, Outcome]>([
    ['start', ['stopped', 1, 5], ['stopped', 1, 5], 'waiting'],
    ['start', ['stopped', 1, 5], ['starting', 2, 6], 'waiting'],
    ['start', ['stopped', 1, 5], ['running', 2, 7], 'done'],
    ['start', ['running', 1, 5], ['running', 1, 5], 'done'],
    ['start', ['failed', 1, 5], ['failed', 1, 5], 'waiting'],
    ['start', ['failed', 1, 5], ['failed', 2, 8], 'failed'],
    ['start', ['stopped', 1, 5], ['backoff', 2, 8], 'failed'],
    ['start', ['stopped', 1, 5], ['completed', 2, 8], 'done'],
    ['start', ['running', 1, 5], ['stopped', 1, 9], 'failed'],
    ['stop', ['running', 1, 5], ['running', 1, 5], 'waiting'],
    ['stop', ['running', 1, 5], ['stopping', 1, 6], 'waiting'],
    ['stop', ['running', 1, 5], ['stopped', 1, 7], 'done'],
    ['stop', ['stopped', 1, 5], ['stopped', 1, 5], 'done'],
    ['restart', ['running', 1, 5], ['running', 1, 5], 'waiting'],
    ['restart', ['running', 1, 5], ['stopping', 1, 6], 'waiting'],
    ['restart', ['running', 1, 5], ['running', 2, 9], 'done'],
    ['restart', ['running', 1, 5], ['backoff', 2, 9], 'failed'],
    ['restart', ['running', 1, 5], ['failed', 1, 9], 'failed'],
    ['restart', ['failed', 1, 5], ['failed', 1, 5], 'waiting'],
  ])('%s: %j, now %j: %s', (verb, before, now, outcome) => {
    expect(judgeOutcome(verb, status(before), status(now))).toBe(outcome);
  });

  test('a service that says it is not ready is waited for', () => {
    const now = instanceStatus({ state: 'running', ready: 'no', generation: 2, seq: 9 });
    expect(judgeOutcome('start', undefined, now)).toBe('waiting');
    expect(judgeOutcome('start', undefined, { ...now, ready: 'yes' })).toBe('done');
  });
});
