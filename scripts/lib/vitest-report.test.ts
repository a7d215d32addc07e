import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runTests } from './check-steps.mjs';
import type { TestReport } from './vitest-report.mjs';

const rootDir = fileURLToPath(new URL('../..', import.meta.url));
let dir: string;
let report: TestReport;
let emptyReport: TestReport;

/** A repository of its own with one test of each kind, run by a vitest of its own. */
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'muster-report-'));
  cpSync(join(rootDir, 'scripts/lib/vitest-report.mjs'), join(dir, 'scripts/lib/vitest-report.mjs'));
  cpSync(join(rootDir, 'node_modules/.bin/vitest'), join(dir, 'node_modules/.bin/vitest'), { verbatimSymlinks: false });
  writeFileSync(join(dir, 'package.json'), '{"type":"module"}');
  writeFileSync(
    join(dir, 'vitest.config.mjs'),
    `export default { test: { globals: true, projects: [{ extends: true, test: { name: 'unit', include: ['*.test.mjs'] } }] } };`,
  );
  writeFileSync(
    join(dir, 'kinds.test.mjs'),
    `
    test('passes', () => {});
    test('fails', () => { throw new Error('first line\\nsecond line'); });
    test('skips with a reason', (context) => context.skip(true, 'no docker here'));
    test.skip('skips in silence', () => {});
    describe('broken set-up', () => {
      beforeAll(() => { throw new Error('no bus'); });
      test('never runs', () => {});
    });
    `,
  );
  writeFileSync(join(dir, 'broken.test.mjs'), `import './absent.mjs';`);
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('VITEST')));
  const options = { rootDir: dir, env, echo: new PassThrough().resume() };
  const { signal } = new AbortController();
  report = await runTests('unit', options, signal);
  emptyReport = await runTests('absent', options, signal);
  // Two more vitests on a machine that runs this one.
}, 300_000);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test('counts what passed', () => {
  expect(report.passed).toBe(1);
});

test('lists each skip with its reason', () => {
  expect(report.skipped).toEqual([{ name: 'kinds.test.mjs > skips with a reason', reason: 'no docker here' }]);
});

test('counts as failed: errors, silent skips, broken hooks with what they kept from running, and broken files', () => {
  expect(report.failed).toHaveLength(5);
  expect(report.failed).toEqual(
    expect.arrayContaining([
      { name: 'kinds.test.mjs > fails', reason: 'first line' },
      {
        name: 'kinds.test.mjs > skips in silence',
        reason: "skipped without a reason: use context.skip(condition, 'reason')",
      },
      { name: 'kinds.test.mjs > broken set-up', reason: 'no bus' },
      { name: 'kinds.test.mjs > broken set-up > never runs', reason: 'not run: a hook of its suite failed' },
      { name: 'broken.test.mjs', reason: expect.stringContaining('absent.mjs') },
    ]),
  );
});

test('a vitest that cannot even start counts as one failure', () => {
  expect(emptyReport).toMatchObject({ passed: 0, failed: [{ name: 'vitest --project absent' }], skipped: [] });
});
