import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { userInfo } from 'node:os';
import { describeCommand, readEnvironmentVariable } from './process-identity.mjs';
import { Refusal } from './refusal.mjs';

const LISTEN = '0A';
const EVERY_ADDRESS = new Set(['0.0.0.0', '::']);

/**
 * @typedef {object} Listener
 * @property {string} address as text, `::` and `0.0.0.0` for every address
 * @property {number} port
 * @property {number} uid of the socket
 * @property {string} inode
 */

/**
 * @param {string} table text of /proc/net/tcp or /proc/net/tcp6
 * @returns {Listener[]}
 */
export function parseListeners(table) {
  return table
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [, local = '', , state, , , , uid, , inode = ''] = line.trim().split(/\s+/);
      if (state !== LISTEN) return [];
      const [address = '', port = ''] = local.split(':');
      return [{ address: parseAddress(address), port: Number.parseInt(port, 16), uid: Number(uid), inode }];
    });
}

/**
 * The kernel prints an address as 32-bit words in the machine's byte order, little-endian on all that Muster runs on.
 * @param {string} hex 8 digits (IPv4) or 32 (IPv6)
 */
function parseAddress(hex) {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) => [...Buffer.from(word, 'hex')].reverse());
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.every((byte) => byte === 0)) return '::';
  if (bytes.slice(0, 15).every((byte) => byte === 0) && bytes[15] === 1) return '::1';
  if (bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff)
    return bytes.slice(12).join('.');
  return (Buffer.from(bytes).toString('hex').match(/.{4}/g) ?? []).join(':');
}

/**
 * @param {import('./settings.mjs').Listen} wanted
 * @param {readonly Listener[]} listeners
 * @returns {Listener | undefined} who makes binding `wanted` impossible
 */
export function findConflict(wanted, listeners) {
  const host = wanted.host === 'localhost' ? '127.0.0.1' : wanted.host;
  return listeners.find(
    ({ address, port }) =>
      port === wanted.port && (address === host || EVERY_ADDRESS.has(address) || EVERY_ADDRESS.has(host)),
  );
}

/**
 * @param {string} inode
 * @returns {number | undefined} a process that holds the socket; undefined when it belongs to somebody whose files we may not see
 */
export function findOwner(inode) {
  const link = `socket:[${inode}]`;
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .find((pid) => listDescriptors(pid).includes(link));
}

/** @param {number} pid */
function listDescriptors(pid) {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`);
      } catch {
        return ''; // closed meanwhile
      }
    });
  } catch {
    return []; // gone, or another user's
  }
}

/**
 * Refuses to start on ports that somebody else holds. Services that this clone's agent left running are not somebody else:
 * the next agent adopts them. They bear its id in `MUSTER_RUN`.
 *
 * @param {readonly { purpose: string, listen: import('./settings.mjs').Listen, setting: string }[]} wanted
 * @param {string | undefined} agentId of this state directory, when it has had an agent before
 * @throws {Refusal} naming each taken port with its owner, and where to change it
 */
export function checkPorts(wanted, agentId) {
  const listeners = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap(readTable);
  const lines = wanted.flatMap(({ purpose, listen, setting }) => {
    const conflict = findConflict(listen, listeners);
    if (!conflict) return [];
    const pid = findOwner(conflict.inode);
    if (agentId !== undefined && isOwnRun(pid, conflict.uid, agentId)) return [];
    return [
      `port ${listen.port} for ${purpose} is taken by ${describeOwner(pid, conflict.uid)}: stop it, or set \`${setting}\``,
    ];
  });
  if (lines.length > 0) throw new Refusal(lines.join('\n'));
}

/** @param {string} path */
function readTable(path) {
  try {
    return parseListeners(readFileSync(path, 'utf8'));
  } catch {
    return []; // a kernel without IPv6 has no tcp6
  }
}

/**
 * @param {number | undefined} pid undefined where root may not look into another user's processes, as in containers
 * @param {number} uid of the socket
 * @param {string} agentId
 */
function isOwnRun(pid, uid, agentId) {
  if (pid !== undefined) return readEnvironmentVariable(pid, 'MUSTER_RUN')?.startsWith(`${agentId}/`) ?? false;
  return (
    process.getuid?.() === 0 &&
    readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .some((name) => isChildOfShim(Number(name), uid, agentId))
  );
}

/**
 * What runs as a user of its own has a shim of root's for its parent.
 *
 * @param {number} pid
 * @param {number} uid
 * @param {string} agentId
 */
function isChildOfShim(pid, uid, agentId) {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    if (Number(/^Uid:\s+(\d+)/m.exec(status)?.[1]) !== uid) return false;
    const parent = Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]);
    return readEnvironmentVariable(parent, 'MUSTER_SHIM')?.startsWith(`${agentId}/`) ?? false;
  } catch {
    return false; // gone meanwhile
  }
}

/**
 * @param {number | undefined} pid
 * @param {number} uid
 */
function describeOwner(pid, uid) {
  if (pid !== undefined) return `pid ${pid} (${describeCommand(pid).slice(0, 120)})`;
  return uid === userInfo().uid ? 'a process outside this container' : `a process of user id ${uid}`;
}
