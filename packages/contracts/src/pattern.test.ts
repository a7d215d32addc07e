import { expect, test } from 'vitest';
import { Pattern } from './pattern.ts';
import { PatternError } from './pattern-error.ts';

/** JavaScript's own would take longer than the universe is old, on some of these. */
const HOSTILE = [
  '^(a+)+$',
  '(x+x+)+y',
  '(a|a)*b',
  '(a|aa)+$',
  '(.*)*x',
  '(.*a){25}[bc]',
  '([a-zA-Z]+)*$',
  '^(\\w+\\s?)*$',
  '.*.*.*.*.*x$',
  '(a?){40}a{40}',
  '(?i)(a+)+[b-d]$',
];

test.each(HOSTILE)('%s is done soon, on a long line', (source) => {
  const pattern = new Pattern(source);
  const before = process.cpuUsage();
  pattern.test(`${'a'.repeat(5_000)}!`);
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1_000).toBeLessThan(5_000);
});

test.each([
  ['(?=a)b', 'lookaround'],
  ['(?<!a)b', 'lookaround'],
  ['(a)\\1', 'back-references'],
  ['(', 'missing closing )'],
  ['[', 'missing closing ]'],
  ['(a{1000}){1000}', 'invalid repeat count'],
  ['[ab]{251}', 'write a shorter one'],
])('%s is refused, with the reason and what would do', (source, reason) => {
  expect(() => new Pattern(source)).toThrow(PatternError);
  expect(() => new Pattern(source)).toThrow(reason);
  expect(() => new Pattern(source)).toThrow(`'${source}'`);
});

test('what people write is found as they mean it', () => {
  const line = '2026-11-23 17:40:01.1 ERROR request 7 failed: timeout after 3000 ms {"ip":"10.0.0.1"}';
  for (const source of ['ERROR|FATAL', '(?i)error', 'after \\d+ ms', '^2026.*failed', '"ip":"10\\.', '\\btimeout\\b']) {
    expect(new Pattern(source).test(line), source).toBe(true);
  }
  for (const source of ['error', 'after \\d$', '^failed', '\\bout\\b']) {
    expect(new Pattern(source).test(line), source).toBe(false);
  }
});
