import { readFileSync } from 'node:fs';

/**
 * A process, safe against pid reuse: a pid alone may belong to somebody else by now.
 * @typedef {object} ProcessIdentity
 * @property {string} bootId
 * @property {number} pid
 * @property {string} startTicks kernel start time, clock ticks since boot
 */

/**
 * @param {number} pid
 * @returns {ProcessIdentity | undefined} undefined when there is no such process, or only its zombie
 */
export function identifyProcess(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const startTicks = parseStartTicks(stat);
    if (startTicks === undefined) return undefined;
    return { bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(), pid, startTicks };
  } catch {
    return undefined;
  }
}

/** @param {ProcessIdentity} identity */
export function isAlive(identity) {
  const now = identifyProcess(identity.pid);
  return now !== undefined && now.startTicks === identity.startTicks && now.bootId === identity.bootId;
}

/**
 * Field 22 of /proc/PID/stat. The command name before it may hold spaces and brackets, so counting starts after the last `)`.
 * @param {string} stat
 * @returns {string | undefined} undefined for a zombie or a dead process
 */
export function parseStartTicks(stat) {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}

/**
 * @param {number} pid
 * @returns {string} the command line, or the short name of a process that has none
 */
export function describeCommand(pid) {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter(Boolean);
    return words.length > 0 ? words.join(' ') : readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return 'gone meanwhile';
  }
}

/**
 * @param {number} pid
 * @param {string} name
 * @returns {string | undefined} undefined too when the environment belongs to another user
 */
export function readEnvironmentVariable(pid, name) {
  try {
    const entries = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
    return entries.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);
  } catch {
    return undefined;
  }
}
