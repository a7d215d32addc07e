import { mkdirSync, readFileSync } from 'node:fs';
import { temporaryDirectory } from '@muster/testkit';
import { expect, test } from 'vitest';
import { LogWriter } from './log-writer.ts';

test('an index that cannot be written costs no line', async () => {
  await using home = await temporaryDirectory();
  const file = `${home.path}/log`;
  mkdirSync(`${file}.index`);
  using log = new LogWriter(file, home.path);
  log.prepare(1);
  log.append(Buffer.from('line\n'), 1);
  log.prepare(1);
  expect(readFileSync(file, 'utf8')).toBe('line\n');
});
