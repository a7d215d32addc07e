import { mkdirSync } from 'node:fs';
import { temporaryDirectory } from '@muster/testkit';
import { expect, test } from 'vitest';
import { LogIndexWriter, readIndex } from './log-index.ts';

test('a clock that is set back is followed', async () => {
  await using home = await temporaryDirectory();
  const log = `${home.path}/log`;
  using index = new LogIndexWriter(log);
  index.note({ offset: 0, timeMs: 3_600_000, generation: 1 });
  index.note({ offset: 10, timeMs: 5, generation: 1 });
  expect(readIndex(log, 0, 20).map(({ timeMs }) => timeMs)).toEqual([3_600_000, 5]);
});

test('an index that cannot be read tells nothing', async () => {
  await using home = await temporaryDirectory();
  const log = `${home.path}/log`;
  mkdirSync(`${log}.index`);
  expect(readIndex(log, 0, 20)).toEqual([]);
});
