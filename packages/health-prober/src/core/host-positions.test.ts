import { expect, test } from 'vitest';
import { HostPositions } from './host-positions.ts';

const of = (epoch: number, host = 'web1') => ({ host, epoch });

test('three heartbeats in a row behind what events said, and the events were not its own', () => {
  const positions = new HostPositions();
  expect(positions.isBehind(of(5))).toBe(false);
  positions.noteEvent(of(5));
  positions.noteEvent(of(4_000_000_000));
  expect([1, 2, 3].map(() => positions.isBehind(of(5)))).toEqual([false, false, true]);
  expect(positions.isBehind(of(5))).toBe(false);
});

test('late heartbeats of the agent before say nothing, and no host is counted for another', () => {
  const positions = new HostPositions();
  positions.noteEvent(of(6));
  expect([5, 5, 6, 5, 5, 6].map((epoch) => positions.isBehind(of(epoch)))).not.toContain(true);
  positions.noteEvent(of(9, 'db1'));
  expect([7, 7, 7, 7].map((epoch) => positions.isBehind(of(epoch)))).not.toContain(true);
});
