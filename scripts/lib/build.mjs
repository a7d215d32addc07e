import { createHash } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { Refusal } from './refusal.mjs';
import { lastLines, run } from './run.mjs';
import { Stamp } from './stamp.mjs';

/** What a start runs, each bundled from its entry by scripts/bundle.mjs. */
const PROGRAMS = [
  { directory: 'packages/supervisor-agent', project: 'packages/supervisor-agent', entry: 'src/main.ts' },
  { directory: 'packages/health-prober', project: 'packages/health-prober', entry: 'src/main.ts' },
  { directory: 'packages/dashboard', project: 'packages/dashboard/server', entry: 'server/main.ts' },
  { directory: 'packages/cli', project: 'packages/cli', entry: 'src/main.ts' },
];
const PAGE = 'packages/dashboard/dist/web/index.html';
/** What the start itself imports of what is built. */
const LIBRARY = 'packages/contracts/dist/index.js';

/**
 * Builds the programs and the page unless they were built from exactly these sources.
 *
 * @param {{ rootDir: string, env: NodeJS.ProcessEnv, onBuild: () => void }} options `onBuild` is called when it will take a while
 * @param {AbortSignal} signal
 * @returns {Promise<'built' | 'up to date'>}
 * @throws {Refusal} when a compiler fails; its output is in the details
 */
export async function ensureBuild({ rootDir, env, onBuild }, signal) {
  // What V8 has compiled is of use to the Node that did it only.
  const fingerprint = `${fingerprintSources(rootDir)} ${process.version}`;
  const stamp = new Stamp(join(rootDir, '.muster/stamps/build'));
  const isComplete = [...PROGRAMS.map(({ directory }) => `${directory}/bundle/main.js`), PAGE, LIBRARY].every((file) =>
    existsSync(join(rootDir, file)),
  );
  if (isComplete && stamp.matches(fingerprint)) return 'up to date';
  onBuild();
  const bin = (/** @type {string} */ name) => join(rootDir, 'node_modules/.bin', name);
  // Without --force tsc trusts its .tsbuildinfo and would not notice that somebody removed dist/.
  const force = isComplete ? [] : ['--force'];
  await compile(bin('tsc'), ['-b', ...force, ...PROGRAMS.map(({ project }) => project)], { cwd: rootDir, env }, signal);
  for (const { directory, entry } of PROGRAMS) {
    await compile(process.execPath, ['scripts/bundle.mjs', directory, entry], { cwd: rootDir, env }, signal);
  }
  await compile(
    bin('vite'),
    ['build', '--logLevel', 'warn'],
    { cwd: join(rootDir, 'packages/dashboard'), env },
    signal,
  );
  stamp.write(fingerprint);
  return 'built';
}

/**
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd: string, env: NodeJS.ProcessEnv }} options
 * @param {AbortSignal} signal
 */
async function compile(command, args, options, signal) {
  const { code, output } = await run(command, args, options, signal);
  if (code === 0) return;
  const shown = `${basename(command)} ${args.join(' ')}`;
  throw new Refusal(`cannot build: \`${shown}\` ended with code ${code}: see below`, {
    details: lastLines(output, 40),
  });
}

/**
 * A hash over path, size and modification time of every source: 10 ms for this repository, where reading them all takes 100.
 * @param {string} rootDir
 */
export function fingerprintSources(rootDir) {
  const hash = createHash('sha256');
  for (const file of ['package.json', 'tsconfig.json', 'tsconfig.base.json', 'package-lock.json']) {
    addFile(hash, rootDir, join(rootDir, file));
  }
  for (const file of ['scripts/bundle.mjs', 'scripts/bundled-main.mjs']) addFile(hash, rootDir, join(rootDir, file));
  addFolder(hash, rootDir, join(rootDir, 'packages'));
  return hash.digest('hex');
}

/**
 * @param {import('node:crypto').Hash} hash
 * @param {string} rootDir
 * @param {string} dir
 */
function addFolder(hash, rootDir, dir) {
  const entries = readdirSync(dir, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) {
      if (!['node_modules', 'dist', 'bundle', 'test', '.turbo'].includes(entry.name)) addFolder(hash, rootDir, path);
    } else if (!/\.(test\.tsx?|tsbuildinfo|md)$/.test(entry.name)) {
      addFile(hash, rootDir, path);
    }
  }
}

/**
 * @param {import('node:crypto').Hash} hash
 * @param {string} rootDir
 * @param {string} file
 */
function addFile(hash, rootDir, file) {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat) hash.update(`${relative(rootDir, file)}\0${stat.size}\0${stat.mtimeMs}\n`);
}
