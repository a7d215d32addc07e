import { setTimeout as delay } from 'node:timers/promises';
import { startNodeFixture } from '@muster/testkit';
import { expect, test } from 'vitest';

/** Matches again and again, with the built agent's own code, until it is told that it is enough. */
const MATCHER = new URL('fixtures/regex-matcher.mjs', import.meta.url).pathname;

test('an expression is not slow because the machine is busy with others', async () => {
  await using matcher = await startNodeFixture(MATCHER);
  await matcher.line('matching', 50_000);
  // As a process that is not given the processor, for longer than a slice may take.
  for (let round = 0; round < 10; round += 1) {
    matcher.child.kill('SIGSTOP');
    await delay(100);
    matcher.child.kill('SIGCONT');
    await delay(20);
  }
  matcher.child.stdin?.write('enough\n');
  const { code } = await matcher.finished;
  expect(code, matcher.lines.join('\n')).toBe(0);
});
