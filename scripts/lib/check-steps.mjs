import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastLine, run } from './run.mjs';

/** @typedef {import('./vitest-report.mjs').TestReport} TestReport */

/**
 * Runs one of the root package's scripts as a check that passes or fails as a whole.
 *
 * @param {string} script
 * @param {{ rootDir: string, env: NodeJS.ProcessEnv }} options
 * @param {AbortSignal} signal
 * @returns {Promise<TestReport & { output: string }>} with one test in it
 */
export async function runScript(script, { rootDir, env }, signal) {
  const { code, output } = await run('npm', ['run', '--silent', script], { cwd: rootDir, env }, signal);
  const failed = code === 0 ? [] : [{ name: `npm run ${script}`, reason: `exit code ${code}: ${lastLine(output)}` }];
  return { passed: code === 0 ? 1 : 0, failed, skipped: [], output };
}

/**
 * Runs one project of vitest, and shows what it says as it comes.
 *
 * @param {string} project
 * @param {{ rootDir: string, env: NodeJS.ProcessEnv }} options
 * @param {AbortSignal} signal
 * @returns {Promise<TestReport>}
 */
export async function runTests(project, { rootDir, env }, signal) {
  const scratch = mkdtempSync(join(tmpdir(), 'muster-test-'));
  const reportFile = join(scratch, 'report.json');
  try {
    const { code } = await run(
      join(rootDir, 'node_modules/.bin/vitest'),
      [
        'run',
        '--project',
        project,
        '--reporter',
        'default',
        '--reporter',
        join(rootDir, 'scripts/lib/vitest-report.mjs'),
      ],
      { cwd: rootDir, env: { ...env, MUSTER_TEST_REPORT: reportFile }, echo: process.stdout },
      signal,
    );
    return readReport(reportFile, project, code);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/**
 * @param {string} file
 * @param {string} project
 * @param {number} code vitest's exit code: it may know of a failure that no test shows
 * @returns {TestReport}
 */
function readReport(file, project, code) {
  const ended = { name: `vitest --project ${project}`, reason: `ended with code ${code}` };
  try {
    /** @type {TestReport} */
    const report = JSON.parse(readFileSync(file, 'utf8'));
    return code !== 0 && report.failed.length === 0 ? { ...report, failed: [ended] } : report;
  } catch {
    return { passed: 0, failed: [{ ...ended, reason: `${ended.reason}, without a report` }], skipped: [] };
  }
}
