import type { InstanceEvent } from '@muster/contracts';
import { expect, test } from 'vitest';
import { checkChain } from './event-chain.ts';

function event(seq: number, from: InstanceEvent['from'], to: InstanceEvent['to'], more: Partial<InstanceEvent> = {}) {
  const place = { host: 'web1', service: 'api', instance: 0, generation: 1, ready: 'unknown', desired: 'up' } as const;
  const envelope = { id: `event-${seq}`, time: '2026-01-01T00:00:00Z', source: 'agent/web1', epoch: 1, seq };
  return { ...envelope, ...place, from, to, reason: '', causes: [], ...more } satisfies InstanceEvent;
}

const crashed = { exit: { code: null, signal: 'SIGKILL' as const, known: true } };
const life = [
  event(1, 'pending', 'starting'),
  event(2, 'starting', 'running'),
  event(3, 'running', 'starting', crashed),
  event(4, 'starting', 'running'),
];

test('a whole life has no gap', () => {
  expect(checkChain(life)).toEqual({ events: 4, gaps: 0, repeated: 0, crashes: 1 });
});

test('a lost event shows', () => {
  expect(checkChain(life.toSpliced(2, 1))).toEqual({ events: 3, gaps: 1, repeated: 0, crashes: 0 });
});

test('an event that came twice, or late, shows', () => {
  expect(checkChain([...life, ...life.slice(3)])).toMatchObject({ repeated: 1, gaps: 1 });
  expect(checkChain(life.toReversed()).gaps).toBeGreaterThan(0);
});
