/*
 * Which process is which, by the kernel's word: a pid alone may belong to somebody else by now.
 */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

/**
 * A process, told apart from later ones with the same pid (within one boot).
 * @typedef {object} ProcessIdentity
 * @property {number} pid
 * @property {number} startTimeTicks field 22 of `/proc/<pid>/stat`: clock ticks since boot
 */

/**
 * @typedef {object} StatFields
 * @property {string} state
 * @property {number} threads
 * @property {number} parentId
 * @property {number} groupId
 * @property {number} sessionId
 *
 * @typedef {ProcessIdentity & StatFields} ProcessStat
 */

/** One for all: each read is over before the next begins. */
const STAT_BUFFER = Buffer.allocUnsafe(2 ** 12);

/**
 * Reads one `/proc/<pid>/stat`; the name in parentheses may hold anything, also spaces and parentheses.
 * @param {string} text
 * @returns {ProcessStat | undefined}
 */
export function parseStat(text) {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, parentId, groupId, sessionId] = fields;
  const [threads, , startTime] = fields.slice(17);
  if (!state || groupId === undefined || sessionId === undefined || startTime === undefined) return undefined;
  return {
    pid: Number.parseInt(text, 10),
    state,
    threads: Number(threads),
    parentId: Number(parentId),
    groupId: Number(groupId),
    sessionId: Number(sessionId),
    startTimeTicks: Number(startTime),
  };
}

/**
 * `undefined`: no such process.
 * @param {number} pid
 */
export function readStat(pid) {
  const text = readProc(`/proc/${pid}/stat`, STAT_BUFFER);
  return typeof text === 'string' ? parseStat(text) : undefined;
}

/**
 * A zombie is dead: it runs nothing and holds nothing, it only waits for its parent. But a process whose first thread
 * has ended shows as a zombie too while its other threads go on.
 * @param {Pick<ProcessStat, 'state' | 'threads'>} stat
 */
export function isDead({ state, threads }) {
  return state === 'X' || (state === 'Z' && threads <= 1);
}

/** @param {ProcessIdentity} identity */
export function isAlive({ pid, startTimeTicks }) {
  const stat = readStat(pid);
  return stat !== undefined && stat.startTimeTicks === startTimeTicks && !isDead(stat);
}

export function readBootId() {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/**
 * The text of a file of /proc, or why there is none: a process can go away between any two reads. Half the cost of readFileSync,
 * which counts where every process of a host is looked at.
 * @param {string} path
 * @param {Buffer} buffer
 * @returns {string | Error}
 */
export function readProc(path, buffer) {
  /** @type {number | undefined} */
  let fd;
  try {
    fd = openSync(path, 'r');
    let text = '';
    for (;;) {
      const length = readSync(fd, buffer);
      text += buffer.toString('latin1', 0, length);
      // A full buffer may not be all; less is all there is.
      if (length < buffer.length) return text;
    }
  } catch (error) {
    return /** @type {Error} */ (error);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
