import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { NEVER_RUN } from '../core/state.ts';
import { InstanceStore } from './instance-store.ts';

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'muster-store-'));
  file = path.join(directory, 'instances.jsonl');
});
afterEach(() => rmSync(directory, { recursive: true }));

function open(bootId = 'boot-a', configured = ['api.0', 'old.0']): InstanceStore {
  return new InstanceStore(file, bootId, new Set(configured));
}

const marks = { startedGeneration: 3, endedGeneration: 2 };
const persisted = {
  ...NEVER_RUN,
  desired: 'down' as const,
  generation: 4,
  heldGeneration: 3,
  restartGeneration: 2,
  tracker: { restartsAtMs: [1, 2], streak: 2 },
  failure: 'exit code 1',
};

test('within one boot everything holds', () => {
  open().save('api', 0, persisted, marks);
  expect(open().load('api', 0)).toEqual({
    desired: 'down',
    generation: 4,
    heldGeneration: 3,
    restartGeneration: 2,
    tracker: { restartsAtMs: [1, 2], streak: 2 },
    failure: 'exit code 1',
    ...marks,
  });
});

test('an end that was told and not noted any more counts as told, and never one that comes later', () => {
  open().save('api', 0, persisted, marks);
  const store = open();
  store.noteTold('api', 0, 3);
  expect(store.load('api', 0)).toMatchObject({ endedGeneration: 3 });
  store.noteTold('api', 0, 1);
  store.noteTold('unknown', 0, 9);
  expect(store.load('api', 0)).toMatchObject({ endedGeneration: 3, generation: 4 });
  expect(store.load('unknown', 0)).toEqual({});
});

test('a reboot voids the times, never the intent', () => {
  open('boot-a').save('api', 0, persisted, marks);
  expect(open('boot-b').load('api', 0)).toEqual({ desired: 'down', generation: 4 });
});

test('the last word counts, and a line torn by a kill spoils itself only', () => {
  const store = open();
  store.save('api', 0, persisted, marks);
  store.save('api', 0, { ...persisted, generation: 5 }, marks);
  appendFileSync(file, '\n{"key":"api.0","bootId":"boot-a","desired":"u');
  expect(open().load('api', 0)).toMatchObject({ generation: 5 });
});

test('what has not changed is not written again', () => {
  const store = open();
  store.save('api', 0, persisted, marks);
  const { size } = statSync(file);
  store.save('api', 0, { ...persisted, unmetReason: 'waits for db' }, marks);
  expect(statSync(file).size).toBe(size);
});

test('what is no longer configured is forgotten at the next start', () => {
  const store = open();
  store.save('api', 0, persisted, marks);
  store.save('old', 0, persisted, marks);
  open('boot-a', ['api.0']);
  expect(readFileSync(file, 'utf8')).not.toContain('old.0');
});

test('a journal that has grown is rewritten, and loses nothing', () => {
  const store = open();
  for (let generation = 1; generation <= 10_500; generation += 1)
    store.save('api', 0, { ...persisted, generation }, marks);
  expect(statSync(file).size).toBeLessThan(500_000);
  expect(open().load('api', 0)).toMatchObject({ generation: 10_500 });
});

test('a journal that cannot be rewritten goes on being appended to', () => {
  const problems: unknown[] = [];
  // So long that there is no name for the shorter file that would take its place.
  const longNamed = path.join(directory, 'i'.repeat(230));
  using store = new InstanceStore(longNamed, 'boot-a', new Set(['api.0']), (error) => problems.push(error));
  for (let generation = 1; generation <= 10_000; generation += 1)
    store.save('api', 0, { ...persisted, generation }, marks);
  expect(problems).toEqual([expect.objectContaining({ code: 'ENAMETOOLONG' })]);
  using next = new InstanceStore(longNamed, 'boot-a', new Set(['api.0']));
  expect(next.load('api', 0)).toMatchObject({ generation: 10_000 });
});

test('lines that nobody can read are counted, and cost no other line', () => {
  open().save('api', 0, persisted, marks);
  expect(open().unreadableLines).toBe(0);
  appendFileSync(file, '\n\0garbage\n{"key":1}');
  const store = open();
  expect(store.unreadableLines).toBe(2);
  expect(store.load('api', 0)).toMatchObject({ desired: 'down' });
});

test.each([
  ['deleted', () => rmSync(file)],
  ['deleted with its directory', () => rmSync(directory, { recursive: true })],
  [
    'replaced',
    () => {
      rmSync(file);
      writeFileSync(file, 'of somebody else');
    },
  ],
])('a journal that was %s under a running agent is written again, with all that was in it', (_, take) => {
  const problems: unknown[] = [];
  using store = new InstanceStore(file, 'boot-a', new Set(['api.0', 'old.0']), (error) => problems.push(error));
  store.save('old', 0, persisted, marks);
  take();
  store.save('api', 0, persisted, marks);
  expect(problems.map(String)).toEqual([expect.stringContaining('was deleted or replaced')]);
  take();
  store.restoreIfTaken();
  expect(problems).toHaveLength(2);
  store.save('api', 0, { ...persisted, generation: 9 }, marks);
  expect(problems).toHaveLength(2);
  const next = open();
  expect(next.load('old', 0)).toMatchObject({ desired: 'down' });
  expect(next.load('api', 0)).toMatchObject({ desired: 'down', generation: 9 });
});
