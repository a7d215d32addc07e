import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CommandJournal } from './command-journal.ts';

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'muster-commands-'));
  file = path.join(directory, 'commands.jsonl');
});
afterEach(() => rmSync(directory, { recursive: true }));

const accepted = { accepted: true, code: 'ok', reason: 'asked to stop' } as const;

test('an answer outlives the agent that gave it', () => {
  new CommandJournal(file).record('one', accepted);
  expect(new CommandJournal(file).find('one')).toEqual(accepted);
  expect(new CommandJournal(file).find('two')).toBeUndefined();
});

test('a line torn by a kill spoils neither those before nor those after', () => {
  new CommandJournal(file).record('one', accepted);
  appendFileSync(file, '\n{"id":"torn","acc');
  new CommandJournal(file).record('two', accepted);
  const journal = new CommandJournal(file);
  expect([journal.find('one'), journal.find('torn'), journal.find('two')]).toEqual([accepted, undefined, accepted]);
});

test('old answers are forgotten, so the file stays bounded', () => {
  const journal = new CommandJournal(file);
  for (let i = 0; i < 8_200; i += 1) journal.record(`id-${i}`, accepted);
  const again = new CommandJournal(file);
  expect(again.find('id-8199')).toEqual(accepted);
  expect(again.find('id-1')).toBeUndefined();
});

test('a file that cannot be shortened still records, so that what was accepted is acted on', () => {
  // There is no name for the shorter file that would take its place.
  const longNamed = path.join(directory, 'c'.repeat(230));
  const journal = new CommandJournal(longNamed);
  for (let i = 0; i < 10_200; i += 1) journal.record(`id-${i}`, accepted);
  expect(journal.find('id-10199')).toEqual(accepted);
  expect(new CommandJournal(longNamed).find('id-10199')).toEqual(accepted);
});

test('what the disk did not take is known all the same, and written once there is room', () => {
  const problems: unknown[] = [];
  const journal = new CommandJournal(file, (error) => problems.push(error));
  // Nothing can be written to a directory, or put in its place.
  rmSync(file);
  mkdirSync(file);
  journal.record('one', accepted);
  journal.record('two', accepted);
  expect(journal.find('one')).toEqual(accepted);
  expect(problems).toHaveLength(1);
  rmSync(file, { recursive: true });
  journal.record('three', accepted);
  journal[Symbol.dispose]();
  const again = new CommandJournal(file);
  expect([again.find('one'), again.find('two'), again.find('three')]).toEqual([accepted, accepted, accepted]);
});
