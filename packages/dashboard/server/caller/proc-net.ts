import { isIPv4, isIPv6 } from 'node:net';

/** Both ends of one accepted connection, as Node writes addresses. */
export interface Connection {
  readonly theirAddress: string;
  readonly theirPort: number;
  readonly ourAddress: string;
  readonly ourPort: number;
}

/** What the kernel says of a socket. */
export interface SocketRow {
  /** Who created it, as our user namespace numbers accounts. */
  readonly uid: number;
  readonly inode: string;
}

/** TCP_ESTABLISHED. A socket in another state may have lost its owner, and then says uid 0. */
const ESTABLISHED = '01';
const V4_MAPPED_PREFIX = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
const WORD_BYTES = 4;

/**
 * The other end of a connection within this machine: the row whose local end is theirs and whose remote end is ours.
 * `tables` is what /proc/net/tcp and tcp6 say, one after the other. `undefined` when no established socket with an inode is
 * there, or when rows contradict each other.
 */
export function otherEnd(tables: string, connection: Connection, endianness: 'LE' | 'BE'): SocketRow | undefined {
  const { theirAddress, theirPort, ourAddress, ourPort } = connection;
  const theirs = spellings(theirAddress, endianness);
  const ours = spellings(ourAddress, endianness);
  let found: SocketRow | undefined;
  for (const [index, their] of theirs.entries()) {
    const our = ours[index];
    if (our === undefined) continue;
    const start = `: ${their}:${hexPort(theirPort)} ${our}:${hexPort(ourPort)} ${ESTABLISHED} `;
    for (let at = tables.indexOf(start); at >= 0; at = tables.indexOf(start, at + 1)) {
      const row = restOfRow(tables, at + start.length);
      if (row === undefined || (found !== undefined && (found.inode !== row.inode || found.uid !== row.uid))) {
        return undefined;
      }
      found = row;
    }
  }
  return found;
}

/** After the state: queues, timer, retransmits, uid, timeout, inode. */
function restOfRow(tables: string, from: number): SocketRow | undefined {
  const end = tables.indexOf('\n', from);
  // The last line of a table that was cut off says nothing for certain.
  if (end < 0) return undefined;
  const [, , , uid = '', , inode = ''] = tables.slice(from, end).trim().split(/\s+/);
  if (!/^\d{1,10}$/.test(uid) || !/^[1-9]\d*$/.test(inode)) return undefined;
  return { uid: Number(uid), inode };
}

/** An IPv4 address may be the end of an IPv4 socket or, mapped, of an IPv6 one; the other end need not be of the same kind. */
function spellings(address: string, endianness: 'LE' | 'BE'): readonly string[] {
  const bytes = bytesOf(address);
  if (bytes === undefined) return [];
  const isMapped = V4_MAPPED_PREFIX.every((byte, index) => bytes[index] === byte);
  const six = hexWords(bytes, endianness);
  return isMapped ? [hexWords(bytes.slice(V4_MAPPED_PREFIX.length), endianness), six] : ['', six];
}

/** The kernel prints each word of an address as a number of the machine's own byte order. */
function hexWords(bytes: readonly number[], endianness: 'LE' | 'BE'): string {
  let text = '';
  for (let start = 0; start < bytes.length; start += WORD_BYTES) {
    const word = bytes.slice(start, start + WORD_BYTES);
    for (const byte of endianness === 'LE' ? word.reverse() : word) text += byte.toString(16).padStart(2, '0');
  }
  return text.toUpperCase();
}

function hexPort(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, '0');
}

/** 16 bytes; of an IPv4 address those of its mapped form. */
function bytesOf(address: string): readonly number[] | undefined {
  if (isIPv4(address)) return [...V4_MAPPED_PREFIX, ...address.split('.').map(Number)];
  const [plain = ''] = address.split('%');
  if (!isIPv6(plain)) return undefined;
  const tail = /[\d.]+$/.exec(plain)?.[0] ?? '';
  const four = isIPv4(tail) ? tail.split('.').map(Number) : [];
  const head = four.length > 0 ? plain.slice(0, -tail.length).replace(/([^:]):$/, '$1') : plain;
  const [left = [], right] = head.split('::').map(wordsOf);
  const zeros = right === undefined ? 0 : 16 - left.length - right.length - four.length;
  const bytes = [...left, ...Array.from({ length: zeros }, () => 0), ...(right ?? []), ...four];
  return bytes.length === 16 ? bytes : undefined;
}

function wordsOf(text: string): number[] {
  return text
    .split(':')
    .filter((word) => word !== '')
    .flatMap((word) => {
      const value = Number.parseInt(word, 16);
      return [value >> 8, value & 0xff];
    });
}
