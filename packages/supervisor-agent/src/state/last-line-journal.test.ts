import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { eventually, startSmallDisk, whyNoSmallDisk } from '@muster/testkit';
import * as fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { LastLineJournal } from './last-line-journal.ts';

const Line = z.object({ key: z.string(), count: z.int() });

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'muster-journal-'));
  file = path.join(directory, 'some.jsonl');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function open(at = file, onProblem?: (error: unknown) => void, maxKeys = 1_000) {
  return new LastLineJournal({
    file: at,
    schema: Line,
    keyOf: ({ key }) => key,
    maxKeys,
    ...(onProblem && { onProblem }),
  });
}

function contentOf(journal: LastLineJournal<typeof Line>): ReadonlyMap<string, number> {
  return new Map([...journal.values()].map(({ key, count }) => [key, count]));
}

/** What may happen to a journal, and what it must know then. */
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('set' as const), key: fc.constantFrom('a', 'b', 'c'), count: fc.nat(3) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('kill', 'close', 'tear', 'spoil', 'take', 'replace') }) },
);

test('whatever happens to the agent and its file, the last line of each key counts', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      rmSync(file, { force: true });
      const model = new Map<string, number>();
      let journal = open();
      for (const one of steps) {
        switch (one.do) {
          case 'set':
            model.set(one.key, one.count);
            journal.set({ key: one.key, count: one.count });
            break;
          case 'kill':
            journal = open();
            break;
          case 'close':
            journal[Symbol.dispose]();
            journal = open();
            break;
          case 'tear':
            appendFileSync(file, '\n{"key":"a","cou');
            break;
          case 'spoil':
            appendFileSync(file, '\n\0garbage\n{"key":7}');
            break;
          case 'take':
            rmSync(file);
            journal.restoreIfTaken();
            break;
          case 'replace':
            rmSync(file);
            writeFileSync(file, 'of somebody else');
            journal.restoreIfTaken();
        }
        expect(journal.refusal).toBeUndefined();
        expect(contentOf(journal)).toEqual(model);
        expect(contentOf(open())).toEqual(model);
      }
    }),
    { numRuns: 60 },
  );
});

test('of too many keys the oldest are forgotten, and a start leaves no line that does not count', () => {
  const journal = open(file, undefined, 3);
  for (const key of ['a', 'b', 'c', 'd', 'b']) journal.set({ key, count: 1 });
  for (const key of ['c', 'd']) journal.set({ key, count: 2 });
  const again = open(file, undefined, 3);
  expect([...again.values()]).toEqual([
    { key: 'b', count: 1 },
    { key: 'c', count: 2 },
    { key: 'd', count: 2 },
  ]);
  expect(readFileSync(file, 'utf8').trim().split('\n')).toHaveLength(3);
});

test('once closed it takes nothing more', () => {
  const journal = open();
  journal[Symbol.dispose]();
  expect(() => journal.set({ key: 'a', count: 1 })).toThrow(`cannot write '${file}': it is closed`);
});

test('on a full disk it goes on, says so once, and writes all of it once there is room', async (context) => {
  const reason = whyNoSmallDisk();
  context.skip(reason !== undefined, reason);
  await using disk = await startSmallDisk(1);
  const onDisk = path.join(disk.seenPath, 'some.jsonl');
  const problems: unknown[] = [];
  using journal = open(onDisk, (error) => problems.push(error));
  journal.set({ key: 'before', count: 0 });
  await disk.fill();
  // The last page of the file has room for some more.
  for (let count = 0; journal.refusal === undefined; count += 1) journal.set({ key: `key-${count % 9}`, count });
  journal.set({ key: 'refused', count: 1 });
  expect(journal.get('refused')).toEqual({ key: 'refused', count: 1 });
  expect(problems).toEqual([expect.objectContaining({ code: 'ENOSPC' })]);
  // A start finds what was taken, and does not need room to say so.
  expect(contentOf(open(onDisk)).get('before')).toBe(0);
  await disk.makeRoom();
  await eventually(() => journal.refusal === undefined, { message: 'what was refused is written' });
  expect(contentOf(open(onDisk))).toEqual(contentOf(journal));
  expect(problems).toHaveLength(1);
  const { size } = statSync(onDisk);
  journal.set({ key: 'refused', count: 1 });
  expect(statSync(onDisk).size, 'what has not changed is not written again').toBe(size);
});
