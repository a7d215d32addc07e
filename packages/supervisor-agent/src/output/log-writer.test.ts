import { mkdirSync, readFileSync, renameSync } from 'node:fs';
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

test('a log that was moved away is made anew', async () => {
  await using home = await temporaryDirectory();
  const file = `${home.path}/log`;
  using log = new LogWriter(file, home.path);
  const write = (text: string) => {
    log.prepare(1);
    log.append(Buffer.from(text), 1);
  };
  write('one\n');
  renameSync(file, `${file}.1`);
  write('two\n');
  expect(readFileSync(`${file}.1`, 'utf8')).toBe('one\n');
  expect(readFileSync(file, 'utf8')).toBe('two\n');
});
