import { join } from 'node:path';
import { findLockHolder, LockFile, takeLockFile } from '../../packages/contracts/src/plain/lock-file.js';
import { Refusal } from './refusal.mjs';

/** @typedef {import('../../packages/contracts/src/plain/lock-file.js').LockHolder} LockHolder */

const FILE = 'launcher.json';

/**
 * @param {string} stateDir
 * @returns {LockHolder | undefined} the launcher that runs on this state directory, if one does
 */
export function findRunning(stateDir) {
  return findLockHolder(join(stateDir, FILE));
}

/**
 * What `npm start` says when there is nothing to start.
 * @param {LockHolder} holder
 */
export function describeRunning({ pid, url }) {
  return `Muster already runs here: ${url ?? 'it is still starting'} (pid ${pid})`;
}

/**
 * At most one launcher per state directory.
 * @param {string} stateDir exists
 * @throws {Refusal} when another launcher runs on it
 */
export function lockInstance(stateDir) {
  const lock = takeLockFile(join(stateDir, FILE));
  if (lock instanceof LockFile) return lock;
  throw new Refusal(describeRunning(lock));
}
