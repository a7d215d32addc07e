#!/usr/bin/env node
/**
 * `npm test`: sets up like `npm start`, installs what only the tests need, then checks everything. The tests that depend on the
 * nats-server run on the one that is found and on the newest. Most tests wait for something, so two lanes of them run side by side. Every
 * step runs, whatever the others said; each counts as one test beside vitest's own. Skipped and failed tests are listed with their
 * reasons, and the last line is `N passed, N failed, N skipped`. The exit code is 1 when anything failed.
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
    natsServer = await setUp({ rootDir, configDir: join(rootDir, 'config'), env: process.env, progress }, signal);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    // Most checks need no build and no bus: they go on, and those that do will say so.
    total.failed.push({ name: 'set-up', reason: error.message });
    progress.failed('set-up', [error.message, error.details].filter(Boolean).join('\n'));
  }
  const env = {
    ...process.env,
    PATH: `${join(rootDir, '.muster/bin')}${delimiter}${process.env.PATH}`,
    TURBO_TELEMETRY_DISABLED: '1',
  };
  const missing = await findMissingTools(progress, signal);
  const [checks] = await Promise.all([runChecks(env, progress, signal), installTools(missing, progress, signal)]);
  const [found, newest] = await findServers(natsServer, env, total, progress, signal);
  const onFound = busPass(found, env);
  const lanes = [
    [{ project: 'unit', name: 'unit tests', env }, onFound],
    [{ project: 'system', name: 'system tests', env: onFound.env }, ...(newest ? [busPass(newest, env)] : [])],
  ];
  const reports = await Promise.all(lanes.map((passes) => runPasses(passes, progress, signal)));
  for (const report of [checks, ...reports].flat()) add(total, report);
  return total;
}

/**
 * @param {NodeJS.ProcessEnv} env
 * @param {Progress} progress
 * @param {AbortSignal} signal
 * @returns {Promise<import('./lib/vitest-report.mjs').TestReport[]>}
 */
async function runChecks(env, progress, signal) {
  const reports = [];
  for (const script of CHECKS) {
    const startedAtMs = performance.now();
    progress.begin(script, 'checking');
    const report = await runScript(script, { rootDir, env }, signal);
    signal.throwIfAborted();
    const duration = formatDuration(performance.now() - startedAtMs);
    if (report.failed.length === 0) progress.done(script, `passed in ${duration}`);
    else progress.failed(script, `FAILED in ${duration}\n${report.output.trimEnd()}`);
    reports.push(report);
  }
  return reports;
}

/** @typedef {{ version: string, path?: string | undefined }} Server */

/**
 * The nats-servers that tests run on: the one that is found, and the newest where that is another.
 * @param {string | undefined} natsServer the one that is found
 * @param {NodeJS.ProcessEnv} env
 * @param {import('./lib/vitest-report.mjs').TestReport} total told what is left out
 * @param {Progress} progress
 * @param {AbortSignal} signal
 * @returns {Promise<[found: Server, newest?: Server]>}
 */
async function findServers(natsServer, env, total, progress, signal) {
  const path = natsServer ?? findProgram('nats-server', env);
  const version = path && (await readVersion(path, env, signal));
  const found = { version: version ?? 'that is not there', path };
  const startedAtMs = performance.now();
  const onInstall = () => progress.begin('nats-server', 'bringing the newest for the tests');
  const newest = await ensureNewestNatsServer({ rootDir, env, onInstall }, signal);
  const name = 'bus tests on the newest nats-server';
  if ('reason' in newest) {
    total.skipped.push({ name, reason: newest.reason });
    return [found];
  }
  const took = newest.isNew ? `, brought in ${formatDuration(performance.now() - startedAtMs)}` : '';
  progress.done('nats-server', `the newest is ${newest.version} at ${newest.path}${took}`);
  if (version !== undefined && isAtLeast(version, newest.version)) {
    total.skipped.push({ name, reason: `the one that is found, ${version}, is not older` });
    return [found];
  }
  return [found, newest];
}

/**
 * @typedef {object} Pass one run of a project of vitest
 * @property {string} project
 * @property {string} name
 * @property {NodeJS.ProcessEnv} env
 */

/**
 * @param {Server} server
 * @param {NodeJS.ProcessEnv} env
 * @returns {Pass}
 */
function busPass({ version, path }, env) {
  return {
    project: 'bus',
    name: `bus tests on nats-server ${version}`,
    env: { ...env, ...(path && { NATS_SERVER: path }) },
  };
}

/**
 * One after the other.
 * @param {Pass[]} passes
 * @param {Progress} progress
 * @param {AbortSignal} signal
 * @returns {Promise<import('./lib/vitest-report.mjs').TestReport[]>}
 */
async function runPasses(passes, progress, signal) {
  const reports = [];
  for (const { project, name, env } of passes) {
    const startedAtMs = performance.now();
    progress.begin(name, 'running');
    const report = await runTests(project, { rootDir, env }, signal);
    signal.throwIfAborted();
    const counts = `${describe(report)} in ${formatDuration(performance.now() - startedAtMs)}`;
    progress[report.failed.length === 0 ? 'done' : 'failed'](name, counts);
    const named = (/** @type {import('./lib/vitest-report.mjs').Entry} */ entry) => ({
      ...entry,
      name: `${entry.name} (${name})`,
    });
    reports.push({ ...report, failed: report.failed.map(named), skipped: report.skipped.map(named) });
  }
  return reports;
}

/** @typedef {{ tool: string, packages: string[] }} TestTool by Debian's names of packages */

/**
 * What the tests use besides, and is not here.
 * @param {Progress} progress
 * @param {AbortSignal} signal
 * @returns {Promise<TestTool[]>}
 */
async function findMissingTools(progress, signal) {
  // The tests look for their tools with the same functions, so they use what is found here.
  const build = await run(join(rootDir, 'node_modules/.bin/tsc'), ['-b', 'packages/testkit'], { cwd: rootDir }, signal);
  if (build.code !== 0) {
    progress.failed('test tools', `not looked for, the testkit cannot be built: ${lastLine(build.output)}`);
    return [];
  }
  const { findChromium, findPython, whyNoTestNetwork } = await import('../packages/testkit/dist/index.js');
  return [
    { tool: 'Chromium', isHere: findChromium() !== undefined, packages: ['chromium'] },
    {
      tool: 'FastAPI',
      isHere: findPython('fastapi', 'uvicorn') !== undefined,
      packages: ['python3-fastapi', 'python3-uvicorn'],
    },
    {
      tool: "Python's cryptography",
      isHere: findPython('cryptography') !== undefined,
      packages: ['python3-cryptography'],
    },
    {
      tool: 'network namespaces',
      isHere: whyNoTestNetwork() === undefined,
      packages: ['iproute2', 'nftables', 'util-linux'],
    },
    {
      tool: 'Go',
      isHere: findProgram('go', process.env) !== undefined,
      packages: ['golang-go', 'golang-github-nats-io-go-nats-dev'],
    },
  ].filter(({ isHere }) => !isHere);
}

/**
 * Where apt may: without one the tests that need it skip, with their reason.
 * @param {TestTool[]} tools
 * @param {Progress} progress
 * @param {AbortSignal} signal
 */
async function installTools(tools, progress, signal) {
  for (const { tool, packages } of tools) {
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
