import type { ProbeReport } from '@muster/contracts';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type JudgePolicy, judge, majority } from './judge.ts';
import { castVote, NO_VOTES, type VoteTable, validVotes } from './vote.ts';

const policy: JudgePolicy = { maxAttempts: 3, quorum: majority };
const MAX_AGE_MS = 90_000;

type Status = 'up' | 'degraded' | 'down' | 'skipped' | 'unknown';

function report(status: Status, more: Partial<ProbeReport> = {}): ProbeReport {
  return {
    id: `${status}-report`,
    time: '2026-01-01T00:00:00Z',
    source: 'prober/main',
    epoch: 1,
    seq: 1,
    host: 'web1',
    service: 'api',
    instance: 0,
    generation: 1,
    vantage: { kind: 'prober', id: 'main' },
    purpose: 'external',
    protocol: 'http',
    status,
    durationMs: 5,
    ...(status === 'down' && { reason: 'refused' as const, detail: 'connect ECONNREFUSED 127.0.0.1:8000' }),
    ...more,
  };
}

const fromAgent = { vantage: { kind: 'agent', id: 'web1' }, purpose: 'liveness' } as const;

function judgeVotes(voteTable: VoteTable, { nowMs = 0, generation = 1 } = {}) {
  return judge(validVotes(voteTable, { generation, nowMs, maxAgeMs: MAX_AGE_MS }), policy, 'no vantage reaches it');
}

describe('soft and hard, one vantage', () => {
  test.each([
    ['up', 'healthy hard 0'],
    ['down', 'unhealthy soft 1'],
    ['down down', 'unhealthy soft 2'],
    ['down down down', 'unhealthy hard 3'],
    ['down down down down', 'unhealthy hard 3'],
    ['down down up', 'healthy hard 0'],
    ['down down up down', 'unhealthy soft 1'],
    ['down down down up', 'healthy hard 0'],
    ['degraded', 'degraded soft 1'],
    ['degraded degraded degraded', 'degraded hard 3'],
    ['down skipped down unknown down', 'unhealthy hard 3'],
    ['skipped', 'unknown hard 0'],
  ])('%s: %s', (statuses, expected) => {
    const voteTable = (statuses.split(' ') as Status[]).reduce((b, status) => castVote(b, report(status), 0), NO_VOTES);
    const { verdict, hardness, attempt } = judgeVotes(voteTable);
    expect(`${verdict} ${hardness} ${attempt}`).toBe(expected);
  });
});

describe('several vantages', () => {
  test('one of two that fails is partial, both are unhealthy', () => {
    let voteTable = castVote(castVote(NO_VOTES, report('down'), 0), report('up', fromAgent), 0);
    expect(judgeVotes(voteTable)).toMatchObject({
      verdict: 'partial',
      reason: '1 of 2 vantages failed: refused: connect ECONNREFUSED 127.0.0.1:8000',
    });
    voteTable = castVote(voteTable, report('down', fromAgent), 0);
    expect(judgeVotes(voteTable)).toMatchObject({ verdict: 'unhealthy', hardness: 'soft', attempt: 1 });
  });

  test('the quorum is as sure as its least sure member', () => {
    let voteTable = NO_VOTES;
    for (let i = 0; i < 5; i += 1) voteTable = castVote(voteTable, report('down'), 0);
    voteTable = castVote(voteTable, report('down', fromAgent), 0);
    expect(judgeVotes(voteTable)).toMatchObject({ hardness: 'soft', attempt: 1 });
  });

  test('one vantage has one vote, its worst, however many probes it runs', () => {
    let voteTable = castVote(NO_VOTES, report('up', { ...fromAgent, purpose: 'readiness' }), 0);
    voteTable = castVote(voteTable, report('down', fromAgent), 0);
    expect(judgeVotes(voteTable)).toMatchObject({ verdict: 'unhealthy', votes: [{ status: 'down' }] });
  });
});

describe('a vote is void', () => {
  const voteTable = castVote(NO_VOTES, report('up'), 0);

  test('for another run', () => {
    expect(judgeVotes(voteTable, { generation: 2 })).toMatchObject({
      verdict: 'unknown',
      reason: 'no vantage reaches it',
    });
  });

  test('when it is too old', () => {
    expect(judgeVotes(voteTable, { nowMs: MAX_AGE_MS })).toMatchObject({ verdict: 'healthy' });
    expect(judgeVotes(voteTable, { nowMs: MAX_AGE_MS + 1 })).toMatchObject({ verdict: 'unknown' });
  });

  test('while the run is still starting', () => {
    const starting = castVote(NO_VOTES, report('down', { ...fromAgent, purpose: 'startup' }), 0);
    expect(judgeVotes(starting)).toMatchObject({ verdict: 'unknown' });
  });

  test('a new run begins to fail at the first attempt', () => {
    let failing = NO_VOTES;
    for (let i = 0; i < 3; i += 1) failing = castVote(failing, report('down'), 0);
    failing = castVote(failing, report('down', { generation: 2 }), 0);
    expect(judgeVotes(failing, { generation: 2 })).toMatchObject({ hardness: 'soft', attempt: 1 });
  });
});

test('hard unhealthy means that a quorum has failed maxAttempts times in a row', () => {
  const cast = fc.record({
    by: fc.constantFrom('a', 'b', 'c'),
    status: fc.constantFrom<Status>('up', 'degraded', 'down', 'unknown'),
  });
  fc.assert(
    fc.property(fc.array(cast, { maxLength: 40 }), (casts) => {
      let voteTable = NO_VOTES;
      const streaks = new Map<string, number>();
      for (const { by, status } of casts) {
        voteTable = castVote(voteTable, report(status, { vantage: { kind: 'prober', id: by } }), 0);
        if (status !== 'unknown') streaks.set(by, status === 'down' ? (streaks.get(by) ?? 0) + 1 : 0);
        const sure = [...streaks.values()].filter((streak) => streak >= policy.maxAttempts).length;
        const { verdict, hardness } = judgeVotes(voteTable);
        expect(verdict === 'unhealthy' && hardness === 'hard').toBe(sure >= majority(Math.max(1, streaks.size)));
      }
    }),
  );
});

test('a target that flaps faster than it can be confirmed never gets hard', () => {
  let voteTable = NO_VOTES;
  for (let i = 0; i < 100; i += 1) {
    voteTable = castVote(voteTable, report(i % 3 === 2 ? 'up' : 'down'), 0);
    const { verdict, hardness } = judgeVotes(voteTable);
    expect(verdict === 'unhealthy' && hardness === 'hard').toBe(false);
  }
});
