/*
 * At most one process holds a lock, for its whole life. The lock is a file that names its holder by pid, start time and boot id, so
 * that a holder that died, or a pid that was given to somebody else, holds nothing.
 */
import { createHash } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { isAlive, readBootId, readStat } from './process.js';

/**
 * @typedef {object} BootFields
 * @property {string} bootId
 * @property {string} [url] where people find what the holder runs
 *
 * @typedef {import('./process.js').ProcessIdentity & BootFields} LockHolder
 */

/**
 * @param {string} file
 * @returns {LockHolder | undefined} who holds the lock, and is alive
 */
export function findLockHolder(file) {
  try {
    return holderIn(textOf(file));
  } catch {
    // Whoever can't read it is told so when he takes it.
    return undefined;
  }
}

/** A lock that this process holds. */
export class ProcessLock {
  #file;
  #holder;

  /**
   * @param {string} file
   * @param {LockHolder} holder
   */
  constructor(file, holder) {
    this.#file = file;
    this.#holder = holder;
  }

  /**
   * Tells those who find the lock held where to look. They see the file whole, or as it was.
   * @param {string} url
   */
  publish(url) {
    const next = draftOf(this.#file);
    writeFileSync(next, JSON.stringify({ ...this.#holder, url }), { mode: 0o600 });
    renameSync(next, this.#file);
  }

  release() {
    rmSync(this.#file, { force: true });
  }
}

/**
 * Takes the lock for the life of this process.
 * @param {string} file in a folder that exists
 * @returns {ProcessLock | LockHolder} who holds it where that is somebody else, who is alive
 * @throws {Error} where the kernel does not say who this process is, and the system's error where no file can be made
 */
export function takeProcessLock(file) {
  const stat = readStat(process.pid);
  if (stat === undefined) throw new Error(`cannot read /proc/${process.pid}/stat: is /proc mounted?`);
  const own = { pid: stat.pid, startTimeTicks: stat.startTimeTicks, bootId: readBootId() };
  const draft = draftOf(file);
  try {
    // Written aside and linked: whoever reads the file meanwhile sees it whole, or not at all.
    writeFileSync(draft, JSON.stringify(own), { mode: 0o600 });
    for (;;) {
      try {
        linkSync(draft, file);
        return new ProcessLock(file, own);
      } catch (error) {
        if (codeOf(error) !== 'EEXIST') throw error;
      }
      const text = textOf(file);
      if (text === undefined) continue;
      const holder = holderIn(text);
      if (holder !== undefined) return holder;
      // Of all who find the same dead holder one may follow: to take the file away would take it from whoever was faster.
      const right = takeProcessLock(`${file}.${createHash('sha256').update(text).digest('hex').slice(0, 16)}`);
      if (!(right instanceof ProcessLock)) return right;
      try {
        if (textOf(file) === text) {
          renameSync(draft, file);
          return new ProcessLock(file, own);
        }
      } finally {
        right.release();
      }
    }
  } finally {
    rmSync(draft, { force: true });
  }
}

/**
 * @param {string} file
 * @returns {string | undefined}
 */
function textOf(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * @param {string | undefined} text
 * @returns {LockHolder | undefined}
 */
function holderIn(text) {
  try {
    /** @type {LockHolder} */
    const holder = JSON.parse(text ?? '');
    return holder.bootId === readBootId() && isAlive(holder) ? holder : undefined;
  } catch {
    // Torn or foreign text: nobody who is alive writes such a one.
    return undefined;
  }
}

/** @param {string} file */
function draftOf(file) {
  return `${file}.${process.pid}`;
}

/** @param {unknown} error */
function codeOf(error) {
  return /** @type {NodeJS.ErrnoException} */ (error).code;
}
