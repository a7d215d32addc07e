/* What version 0.1 has written into a state directory is read by this one. */
import { cpSync } from 'node:fs';
import path from 'node:path';
import { type TemporaryDirectory, temporaryDirectory } from '@muster/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AcknowledgedBatches } from '../src/log/acknowledged-batches.ts';
import { CursorJournal } from '../src/log/cursor-journal.ts';
import { CommandJournal } from '../src/runtime/commands/command-journal.ts';
import { InstanceStore } from '../src/state/instance-store.ts';

let state: TemporaryDirectory;
beforeAll(async () => {
  state = await temporaryDirectory();
  cpSync(path.join(import.meta.dirname, 'fixtures/state-0.1'), state.path, { recursive: true });
});
afterAll(() => state[Symbol.asyncDispose]());
const fileNamed = (name: string) => path.join(state.path, name);
const AT_END = { stdout: { inode: 7, offset: 120 }, stderr: { inode: 8, offset: 0 } };

test('instances.jsonl', () => {
  using store = new InstanceStore(fileNamed('instances.jsonl'), 'boot-a', new Set(['api.0', 'web.0']));
  expect(store.unreadableLines).toBe(0);
  expect(store.load('web', 0)).toMatchObject({ desired: 'down', generation: 3, endedGeneration: 3 });
  expect(store.load('api', 0)).toMatchObject({
    generation: 2,
    tracker: { restartsAtMs: [5_123], streak: 1 },
    failure: 'exit code 1',
  });
});

test('commands.jsonl', () => {
  using journal = new CommandJournal(fileNamed('commands.jsonl'));
  expect(journal.find('a1')).toMatchObject({ accepted: true, settled: { outcome: 'done', reason: 'stopped' } });
  expect(journal.find('a2')).toEqual({ accepted: false, code: 'stale', reason: 'late' });
  expect(journal.unsettled().size).toBe(0);
});

test('log-cursors.jsonl and log-acknowledged.jsonl', () => {
  using journal = new CursorJournal(fileNamed('log-cursors.jsonl'));
  expect(journal.load('api.0')).toMatchObject({ done: AT_END, lastSeq: 9, incarnation: 1 });
  using acknowledged = new AcknowledgedBatches(fileNamed('log-acknowledged.jsonl'));
  expect(acknowledged.read().get('api.0')).toMatchObject([{ seq: 9, attempt: { id: 'm1', to: AT_END } }]);
});
