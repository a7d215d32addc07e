import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { identifyProcess, isAlive } from './process-identity.mjs';
import { Refusal } from './refusal.mjs';

/**
 * @typedef {import('./process-identity.mjs').ProcessIdentity & { url?: string }} Holder
 */

const FILE = 'launcher.json';

/**
 * @param {string} stateDir
 * @returns {Holder | undefined} the launcher that runs on this state directory, if one does
 */
export function findRunning(stateDir) {
  try {
    /** @type {Holder} */
    const holder = JSON.parse(readFileSync(join(stateDir, FILE), 'utf8'));
    return isAlive(holder) ? holder : undefined;
  } catch {
    return undefined;
  }
}

/**
 * What `npm start` says when there is nothing to start.
 * @param {Holder} holder
 */
export function describeRunning({ pid, url }) {
  return `Muster already runs here: ${url ?? 'it is still starting'} (pid ${pid})`;
}

/**
 * At most one launcher per state directory. The file outlives a `kill -9` of its maker; its pid and start time tell that it is stale.
 */
export class InstanceLock {
  #file;
  #identity;

  /**
   * @param {string} stateDir exists
   * @throws {Refusal} when another launcher runs on it
   */
  constructor(stateDir) {
    this.#file = join(stateDir, FILE);
    const identity = identifyProcess(process.pid);
    if (!identity) throw new Refusal('cannot read /proc: Muster needs it to tell its processes from others: mount it');
    this.#identity = identity;
    // Written aside and linked: whoever reads the file meanwhile sees it whole, or not at all.
    const draft = `${this.#file}.${identity.pid}`;
    writeFileSync(draft, JSON.stringify(identity), { mode: 0o600 });
    try {
      this.#acquire(stateDir, draft);
    } finally {
      rmSync(draft, { force: true });
    }
  }

  /**
   * @param {string} stateDir
   * @param {string} draft
   */
  #acquire(stateDir, draft) {
    for (;;) {
      const holder = findRunning(stateDir);
      if (holder?.pid === this.#identity.pid) return;
      if (holder) throw new Refusal(describeRunning(holder));
      rmSync(this.#file, { force: true }); // stale: its maker was killed
      try {
        linkSync(draft, this.#file);
      } catch (error) {
        if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
      }
    }
  }

  /** @param {string} url where people find the page */
  publish(url) {
    const next = `${this.#file}.${this.#identity.pid}`;
    writeFileSync(next, JSON.stringify({ ...this.#identity, url }), { mode: 0o600 });
    renameSync(next, this.#file);
  }

  release() {
    rmSync(this.#file, { force: true });
  }
}
