import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FRESH_MEMORY } from '../core/state.ts';
import { InstanceStore } from './instance-store.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'muster-store-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const memory = {
  ...FRESH_MEMORY,
  desired: 'down' as const,
  generation: 4,
  tracker: { restartsAtMs: [1, 2], streak: 2 },
  failure: 'exit code 1',
};

test('within one boot everything holds', () => {
  new InstanceStore(directory, 'boot-a').save('api', 0, memory, 3);
  expect(new InstanceStore(directory, 'boot-a').load('api', 0)).toEqual({
    desired: 'down',
    generation: 4,
    tracker: { restartsAtMs: [1, 2], streak: 2 },
    failure: 'exit code 1',
    startedGeneration: 3,
  });
});

test('a reboot voids the times, never the intent', () => {
  new InstanceStore(directory, 'boot-a').save('api', 0, memory, 3);
  expect(new InstanceStore(directory, 'boot-b').load('api', 0)).toEqual({ desired: 'down', generation: 4 });
});

test('an unreadable file counts as none', () => {
  writeFileSync(path.join(directory, 'api.0.json'), '{"desired":"do');
  expect(new InstanceStore(directory, 'boot-a').load('api', 0)).toEqual({});
});

test('what is no longer configured is forgotten', () => {
  const store = new InstanceStore(directory, 'boot-a');
  store.save('api', 0, memory, 3);
  store.save('old', 0, memory, 3);
  store.prune(new Set(['api.0']));
  expect(readdirSync(directory)).toEqual(['api.0.json']);
});
