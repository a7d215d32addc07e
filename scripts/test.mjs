#!/usr/bin/env node
/**
 * `npm test`: sets up like `npm start`, installs what only the tests need, then checks everything. The tests of the whole system run on
 * the nats-server that is found and, side by side, those that depend on it on the newest one. Every step runs, whatever the others said;
 * each counts as one test beside vitest's own. Skipped and failed tests are listed with their reasons, and the last line is
 * `N passed, N failed, N skipped`. The exit code is 1 when anything failed.
 */
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { aptInstall, findProgram } from './lib/apt.mjs';
import { runScript, runTests } from './lib/check-steps.mjs';
import { ensureNewestNatsServer, readVersion } from './lib/nats-server.mjs';
import { formatDuration, Progress } from './lib/progress.mjs';
import { Refusal } from './lib/refusal.mjs';
import { lastLine, run } from './lib/run.mjs';
import { setUp } from './lib/set-up.mjs';
import { isAtLeast } from './lib/version.mjs';

/** In this order; each is a script of the root package.json. */
const CHECKS = ['format', 'lint', 'types', 'boundaries', 'unused'];

const rootDir = fileURLToPath(new URL('..', import.meta.url));

/**
 * @param {Progress} progress
 * @param {AbortSignal} signal
 * @returns {Promise<import('./lib/vitest-report.mjs').TestReport>} of everything
 */
async function testEverything(progress, signal) {
  /** @type {import('./lib/vitest-report.mjs').TestReport} */
  const total = { passed: 0, failed: [], skipped: [] };
  /** @type {string | undefined} */
  let natsServer;
  try {
    ({ natsServer } = await setUp({ rootDir, configDir: join(rootDir, 'config'), env: process.env, progress }, signal));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    // Most checks need no build and no bus: they go on, and those that do will say so.
    total.failed.push({ name: 'set-up', reason: error.message });
    progress.failed('set-up', [error.message, error.details].filter(Boolean).join('\n'));
  }
  await installTestPackages(progress, signal);

  const env = {
    ...process.env,
    PATH: `${join(rootDir, '.muster/bin')}${delimiter}${process.env.PATH}`,
    TURBO_TELEMETRY_DISABLED: '1',
  };
  for (const script of CHECKS) {
    const startedAtMs = performance.now();
    progress.begin(script, 'checking');
    const report = await runScript(script, { rootDir, env }, signal);
    signal.throwIfAborted();
    const duration = formatDuration(performance.now() - startedAtMs);
    if (report.failed.length === 0) progress.done(script, `passed in ${duration}`);
    else progress.failed(script, `FAILED in ${duration}\n${report.output.trimEnd()}`);
    add(total, report);
  }
  add(total, await runPass({ project: 'unit', name: 'unit tests', env, echo: process.stdout }, progress, signal));
  const passes = await systemPasses(natsServer, env, total, progress, signal);
  for (const report of await Promise.all(passes.map((pass) => runPass(pass, progress, signal)))) add(total, report);
  return total;
}

/**
 * @typedef {object} Pass one run of a project of vitest
 * @property {string} project
 * @property {string} name
 * @property {NodeJS.ProcessEnv} env
 * @property {NodeJS.WritableStream} [echo] else it is shown when it is over
 */

/**
 * What depends on the nats-server runs on the one that is found and on the newest; the rest once.
 * @param {string | undefined} natsServer the one that is found
 * @param {NodeJS.ProcessEnv} env
 * @param {import('./lib/vitest-report.mjs').TestReport} total told what is left out
 * @param {Progress} progress
 * @param {AbortSignal} signal
 * @returns {Promise<Pass[]>}
 */
async function systemPasses(natsServer, env, total, progress, signal) {
  const found = natsServer ?? findProgram('nats-server', env);
  const version = found && (await readVersion(found, env, signal));
  const onFound = {
    project: 'system',
    name: `system tests on nats-server ${version ?? 'that is not there'}`,
    env: { ...env, ...(found && { NATS_SERVER: found }) },
    echo: process.stdout,
  };
  const startedAtMs = performance.now();
  const onInstall = () => progress.begin('nats-server', 'bringing the newest for the tests');
  const newest = await ensureNewestNatsServer({ rootDir, env, onInstall }, signal);
  const name = 'system tests on the newest nats-server';
  if ('reason' in newest) {
    total.skipped.push({ name, reason: newest.reason });
    return [onFound];
  }
  const took = newest.isNew ? `, brought in ${formatDuration(performance.now() - startedAtMs)}` : '';
  progress.done('nats-server', `the newest is ${newest.version} at ${newest.path}${took}`);
  if (version !== undefined && isAtLeast(version, newest.version)) {
    total.skipped.push({ name, reason: `the one that is found, ${version}, is not older` });
    return [onFound];
  }
  const onNewest = { project: 'bus', name: `system tests on nats-server ${newest.version}` };
  return [onFound, { ...onNewest, env: { ...env, NATS_SERVER: newest.path } }];
}

/**
 * @param {Pass} pass
 * @param {Progress} progress
 * @param {AbortSignal} signal
 * @returns {Promise<import('./lib/vitest-report.mjs').TestReport>}
 */
async function runPass({ project, name, env, echo }, progress, signal) {
  const startedAtMs = performance.now();
  progress.begin(name, 'running');
  const report = await runTests(project, { rootDir, env, ...(echo && { echo }) }, signal);
  signal.throwIfAborted();
  if (!echo) progress.say(report.output.trimEnd());
  const counts = `${describe(report)} in ${formatDuration(performance.now() - startedAtMs)}`;
  progress[report.failed.length === 0 ? 'done' : 'failed'](name, counts);
  const named = (/** @type {import('./lib/vitest-report.mjs').Entry} */ entry) => ({
    ...entry,
    name: `${entry.name} (${name})`,
  });
  return { ...report, failed: report.failed.map(named), skipped: report.skipped.map(named) };
}

/**
 * Chromium, Python's modules and what makes networks that can be cut, where apt may install them. Without them the tests that need
 * them skip, with their reason.
 * @param {Progress} progress
 * @param {AbortSignal} signal
 */
async function installTestPackages(progress, signal) {
  // The tests themselves look with these, so what is found here is what they use.
  const build = await run(join(rootDir, 'node_modules/.bin/tsc'), ['-b', 'packages/testkit'], { cwd: rootDir }, signal);
  if (build.code !== 0) {
    progress.failed('test tools', `not looked for, the testkit cannot be built: ${lastLine(build.output)}`);
    return;
  }
  const { findChromium, findPython, whyNoTestNetwork } = await import('../packages/testkit/dist/index.js');
  const tools = [
    { tool: 'Chromium', find: findChromium, packages: ['chromium'] },
    {
      tool: 'FastAPI',
      find: () => findPython('fastapi', 'uvicorn'),
      packages: ['python3-fastapi', 'python3-uvicorn'],
    },
    {
      tool: "Python's cryptography",
      find: () => findPython('cryptography'),
      packages: ['python3-cryptography'],
    },
    {
      tool: 'network namespaces',
      find: () => (whyNoTestNetwork() === undefined ? 'ip' : undefined),
      packages: ['iproute2', 'nftables', 'util-linux'],
    },
  ];
  for (const { tool, find, packages } of tools) {
    if (find() !== undefined) {
      progress.done('test tools', `${tool} is here`);
      continue;
    }
    const startedAtMs = performance.now();
    progress.begin('test tools', `installing ${tool}`);
    const outcome = await aptInstall(packages, { env: process.env, isRoot: process.getuid?.() === 0 }, signal);
    signal.throwIfAborted();
    const duration = formatDuration(performance.now() - startedAtMs);
    if (outcome.ok) progress.done('test tools', `${tool} installed in ${duration}`);
    else progress.failed('test tools', `no ${tool} (${outcome.reason}): the tests that need it will skip`);
  }
}

/**
 * @param {import('./lib/vitest-report.mjs').TestReport} total
 * @param {import('./lib/vitest-report.mjs').TestReport} report
 */
function add(total, { passed, failed, skipped }) {
  total.passed += passed;
  total.failed.push(...failed);
  total.skipped.push(...skipped);
}

/** @param {import('./lib/vitest-report.mjs').TestReport} report */
function describe({ passed, failed, skipped }) {
  return `${passed} passed, ${failed.length} failed, ${skipped.length} skipped`;
}

/** @returns {Promise<number>} exit code */
async function main() {
  const progress = new Progress(process.stdout, process.env);
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => interrupted.abort());
  /** @type {import('./lib/vitest-report.mjs').TestReport} */
  let report;
  try {
    report = await testEverything(progress, interrupted.signal);
  } catch (error) {
    const reason = interrupted.signal.aborted ? 'interrupted' : String(error instanceof Error ? error.stack : error);
    report = { passed: 0, failed: [{ name: 'npm test', reason }], skipped: [] };
  }
  for (const { name, reason } of report.skipped) progress.say(`skipped: ${name}: ${reason}`);
  for (const { name, reason } of report.failed) progress.say(`FAILED: ${name}: ${reason}`);
  progress.say(describe(report));
  return report.failed.length === 0 ? 0 : 1;
}

process.exitCode = await main();
