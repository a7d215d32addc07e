import { endianness } from 'node:os';

/*
 * The texts of /proc as values. Every parser is pure, takes the whole text of one file, and answers with what it could read:
 * a missing line or a kernel that writes fewer columns is an absent value, never an exception.
 */

/** Linux reports CPU and start times to user space in hundredths of a second, whatever the kernel's own tick. */
export const TICKS_PER_SECOND = 100;

/** Disk counters are in units of 512 bytes, whatever the disk's own sector. */
const SECTOR_BYTES = 512;

/** Clock ticks since boot. `user` and `nice` include the time of guests. */
export interface CpuTimes {
  readonly user: number;
  readonly nice: number;
  readonly system: number;
  readonly idle: number;
  readonly iowait: number;
  readonly irq: number;
  readonly softirq: number;
  readonly steal: number;
}

/** `/proc/stat`: `cpu` is the sum, `cpu0`… the cores that are online. */
export function parseCpuTimes(text: string): Map<string, CpuTimes> {
  const times = new Map<string, CpuTimes>();
  for (const line of text.split('\n')) {
    // The cpu lines come first, and the ones after them are long.
    if (!line.startsWith('cpu')) break;
    const [name = '', ...columns] = line.split(/ +/);
    const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] = columns.map(Number);
    times.set(name, { user, nice, system, idle, iowait, irq, softirq, steal });
  }
  return times;
}

export interface Memory {
  readonly memoryTotalBytes: number;
  readonly memoryAvailableBytes: number;
  readonly swapTotalBytes: number;
  readonly swapFreeBytes: number;
}

/** `/proc/meminfo`. */
export function parseMemory(text: string): Memory | undefined {
  const bytesOf = (key: string): number | undefined => {
    const match = new RegExp(`^${key}: +(\\d+) kB`, 'm').exec(text);
    return match === null ? undefined : Number(match[1]) * 1024;
  };
  const memoryTotalBytes = bytesOf('MemTotal');
  const memoryAvailableBytes = bytesOf('MemAvailable');
  if (memoryTotalBytes === undefined || memoryAvailableBytes === undefined) return undefined;
  const swapTotalBytes = bytesOf('SwapTotal') ?? 0;
  const swapFreeBytes = bytesOf('SwapFree') ?? 0;
  return { memoryTotalBytes, memoryAvailableBytes, swapTotalBytes, swapFreeBytes };
}

/** `/proc/loadavg`. */
export function parseLoad(text: string): { load1: number; load5: number; load15: number } | undefined {
  const [load1, load5, load15] = text.split(' ').slice(0, 3).map(Number);
  if (load1 === undefined || load5 === undefined || load15 === undefined) return undefined;
  return [load1, load5, load15].every(Number.isFinite) ? { load1, load5, load15 } : undefined;
}

/** `/proc/pressure/*`: shares of the last 10 s. `full` is absent for cpu on older kernels. */
export function parsePressure(text: string): { someRatio?: number; fullRatio?: number } {
  const ratioOf = (kind: string): number | undefined => {
    const match = new RegExp(`^${kind} avg10=(\\d+(?:\\.\\d+)?)`, 'm').exec(text);
    return match === null ? undefined : Number(match[1]) / 100;
  };
  const someRatio = ratioOf('some');
  const fullRatio = ratioOf('full');
  return { ...(someRatio !== undefined && { someRatio }), ...(fullRatio !== undefined && { fullRatio }) };
}

export interface DiskCounters {
  readonly name: string;
  readonly reads: number;
  readonly readBytes: number;
  readonly writes: number;
  readonly writtenBytes: number;
  /** Milliseconds with at least one request under way; 32 bits wide in the kernel. */
  readonly busyMs: number;
}

/** `/proc/diskstats`: whole disks that were ever used, without partitions and without loop and RAM devices. */
export function parseDisks(text: string): DiskCounters[] {
  const disks = text.split('\n').flatMap((line): DiskCounters[] => {
    const columns = line.trim().split(/ +/);
    const name = columns[2];
    if (name === undefined || columns.length < 14 || /^(loop|ram|zram|fd|sr)\d/.test(name)) return [];
    const [reads = 0, , readSectors = 0, , writes = 0, , writtenSectors = 0, , , busyMs = 0] = columns
      .slice(3)
      .map(Number);
    const readBytes = readSectors * SECTOR_BYTES;
    return [{ name, reads, readBytes, writes, writtenBytes: writtenSectors * SECTOR_BYTES, busyMs }];
  });
  const names = new Set(disks.map(({ name }) => name));
  return disks.filter(({ name, reads, writes }) => reads + writes > 0 && !isPartition(name, names));
}

/** `sda1` where there is `sda`, `nvme0n1p2` where there is `nvme0n1`; but `xvda1` alone is a disk. */
function isPartition(name: string, names: ReadonlySet<string>): boolean {
  const disk = /^(.*\d)p\d+$/.exec(name)?.[1] ?? /^(.*\D)\d+$/.exec(name)?.[1];
  return disk !== undefined && names.has(disk);
}

export interface NicCounters {
  readonly name: string;
  readonly receivedBytes: number;
  readonly receiveErrors: number;
  readonly transmittedBytes: number;
  readonly transmitErrors: number;
}

/** `/proc/net/dev`: interfaces that ever carried something, without loopback and the host's ends of containers. */
export function parseNics(text: string): NicCounters[] {
  return text.split('\n').flatMap((line): NicCounters[] => {
    const colon = line.lastIndexOf(':');
    const name = line.slice(0, colon).trim();
    if (colon === -1 || name === 'lo' || name.startsWith('veth')) return [];
    const columns = line
      .slice(colon + 1)
      .trim()
      .split(/ +/)
      .map(Number);
    const [receivedBytes = 0, , receiveErrors = 0, , , , , , transmittedBytes = 0, , transmitErrors = 0] = columns;
    if (columns.length < 16 || receivedBytes + transmittedBytes === 0) return [];
    return [{ name, receivedBytes, receiveErrors, transmittedBytes, transmitErrors }];
  });
}

export interface Mount {
  readonly device: string;
  readonly path: string;
  readonly fsType: string;
}

/**
 * `/proc/mounts`: file systems of local disks, each device once, at the shortest of its paths. Network file systems are left
 * out on purpose: asking a dead server for its free space blocks for minutes.
 */
export function parseMounts(text: string): Mount[] {
  const byDevice = new Map<string, Mount>();
  for (const line of text.split('\n')) {
    const [device, path, fsType] = line.split(' ').map(unescapeOctal);
    if (device === undefined || path === undefined || fsType === undefined) continue;
    // A container's root is an overlay.
    const isLocal = device.startsWith('/dev/') || fsType === 'zfs' || (fsType === 'overlay' && path === '/');
    if (!isLocal || fsType === 'squashfs' || fsType === 'iso9660' || device.startsWith('/dev/loop')) continue;
    const other = byDevice.get(device);
    if (other === undefined || path.length < other.path.length) byDevice.set(device, { device, path, fsType });
  }
  return [...byDevice.values()];
}

/** A space in a path is written \040. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/** `/proc/uptime`: seconds since boot. */
export function parseUptime(text: string): number | undefined {
  const seconds = Number.parseFloat(text);
  return Number.isFinite(seconds) ? seconds : undefined;
}

/** One process, with what metrics need of it. */
export interface ProcessUsage {
  readonly pid: number;
  /** Ticks since boot. Together with the pid it tells this process from a later one of the same number. */
  readonly startTimeTicks: number;
  readonly parentPid: number;
  readonly sessionId: number;
  /** Waits for its parent, and runs nothing any more. */
  readonly isZombie: boolean;
  readonly threads: number;
  /** Its own CPU time. */
  readonly ownTicks: number;
  /** The CPU time of its children that have ended and that it has waited for. */
  readonly endedChildrenTicks: number;
  readonly rssPages: number;
}

const ZOMBIE = 'Z'.charCodeAt(0);
const DEAD = 'X'.charCodeAt(0);
const [ZERO, NINE] = [0x30, 0x39];
/** Of proc(5), counted from the state. */
const RSS_FIELD = 21;

/**
 * `/proc/<pid>/stat`. The name in parentheses may hold anything, also spaces, parentheses and line ends. A tick reads
 * hundreds of these, and making strings of them took longer than the kernel takes to write them: hence bytes.
 */
export function parseProcess(stat: Buffer): ProcessUsage | undefined {
  const nameEnd = stat.lastIndexOf(')');
  const state = stat[nameEnd + 2];
  const fields = wholeNumbers(stat, nameEnd + 3, RSS_FIELD);
  const rssPages = fields[RSS_FIELD - 1];
  if (nameEnd === -1 || rssPages === undefined) return undefined;
  const field = (index: number): number => fields[index - 1] ?? 0;
  const threads = field(17);
  return {
    pid: wholeNumbers(stat, 0, 1)[0] ?? 0,
    startTimeTicks: field(19),
    parentPid: field(1),
    sessionId: field(3),
    // A process whose first thread has ended shows as a zombie while its other threads go on.
    isZombie: state === DEAD || (state === ZOMBIE && threads <= 1),
    threads,
    ownTicks: field(11) + field(12),
    endedChildrenTicks: field(13) + field(14),
    rssPages,
  };
}

/** The first `count` whole numbers behind `at`, or as many as there are; a sign is passed over. */
function wholeNumbers(bytes: Buffer, at: number, count: number): number[] {
  const numbers: number[] = [];
  let value = -1;
  for (let index = at; index <= bytes.length && numbers.length < count; index += 1) {
    const byte = bytes[index] ?? 0;
    if (byte >= ZERO && byte <= NINE) value = Math.max(0, value) * 10 + byte - ZERO;
    else if (value >= 0) {
      numbers.push(value);
      value = -1;
    }
  }
  return numbers;
}

/** `/proc/<pid>/io`: what reached the disks, not the page cache; ended and waited-for children included. */
export function parseIo(io: Buffer): { readBytes: number; writtenBytes: number } | undefined {
  // The kernel writes seven counters, in this order since there are any.
  const [, , , , readBytes, writtenBytes] = wholeNumbers(io, 0, 6);
  return readBytes === undefined || writtenBytes === undefined ? undefined : { readBytes, writtenBytes };
}

/** Page size in bytes, from `/proc/self/auxv` of a 64-bit machine: pairs of a type and a value. */
export function parsePageSize(auxv: Buffer): number | undefined {
  const AT_PAGESZ = 6n;
  for (let at = 0; at + 16 <= auxv.length; at += 16) {
    if (readWord(auxv, at) === AT_PAGESZ) return Number(readWord(auxv, at + 8));
  }
  return undefined;
}

function readWord(bytes: Buffer, at: number): bigint {
  return endianness() === 'LE' ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at);
}

/** Name and version of /etc/os-release, such as `Debian GNU/Linux 12`; empty when there are none. */
export function parseOsRelease(text: string): string {
  const valueOf = (key: string): string => new RegExp(`^${key}=["']?(.*?)["']?$`, 'm').exec(text)?.[1] ?? '';
  return [valueOf('NAME'), valueOf('VERSION_ID')].filter((value) => value !== '').join(' ');
}
