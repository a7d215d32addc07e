import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Refusal } from './refusal.mjs';
import { run } from './run.mjs';
import { Stamp } from './stamp.mjs';

/**
 * Runs `npm ci` unless node_modules already is what the lock file asks for.
 *
 * @param {{ rootDir: string, env: NodeJS.ProcessEnv, onInstall: () => void }} options `onInstall` is called when it will take a while
 * @param {AbortSignal} signal
 * @returns {Promise<'installed' | 'up to date'>}
 * @throws {Refusal} when npm fails; its output is in the details
 */
export async function ensureDependencies({ rootDir, env, onInstall }, signal) {
  const lockFile = join(rootDir, 'package-lock.json');
  const lock = readFileSync(lockFile, 'utf8');
  const fingerprint = createHash('sha256').update(lock).digest('hex');
  const stamp = new Stamp(join(rootDir, '.muster/stamps/dependencies'));
  const installedFile = join(rootDir, 'node_modules/.package-lock.json');
  if (existsSync(installedFile)) {
    if (stamp.matches(fingerprint)) return 'up to date';
    // Somebody ran `npm install` themselves: do not take their folder away to put the same things back.
    if (hasInstalled(JSON.parse(lock), JSON.parse(readFileSync(installedFile, 'utf8')))) {
      stamp.write(fingerprint);
      return 'up to date';
    }
  }
  onInstall();
  const { code, output } = await run(
    'npm',
    ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'],
    { cwd: rootDir, env },
    signal,
  );
  if (code !== 0) {
    throw new Refusal(`cannot install the dependencies: npm ci ended with code ${code}: see below, then start again`, {
      // npm gives its reason first and its manual afterwards.
      details: output.split('\n').slice(0, 20).join('\n').trimEnd(),
    });
  }
  stamp.write(fingerprint);
  return 'installed';
}

/**
 * @typedef {{ packages: Record<string, { version?: string, optional?: boolean, link?: boolean }> }} LockFile
 */

/**
 * Whether everything the lock file asks for is in node_modules, by npm's own record of what it put there.
 * Optional packages may be missing: they are other platforms' builds.
 *
 * @param {LockFile} wanted package-lock.json
 * @param {LockFile} installed node_modules/.package-lock.json
 */
export function hasInstalled(wanted, installed) {
  return Object.entries(wanted.packages).every(
    ([path, { version, optional, link }]) =>
      !path.includes('node_modules/') ||
      optional === true ||
      (installed.packages[path] !== undefined && (link === true || installed.packages[path].version === version)),
  );
}
