import { join } from 'node:path';
import { findLockHolder, ProcessLock, takeProcessLock } from '../../packages/contracts/src/plain/process-lock.js';
import { Refusal } from './refusal.mjs';

/** @typedef {import('../../packages/contracts/src/plain/process-lock.js').LockHolder} LockHolder */

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
  const lock = takeProcessLock(join(stateDir, FILE));
  if (lock instanceof ProcessLock) return lock;
  throw new Refusal(describeRunning(lock));
}
