import { statfsSync } from 'node:fs';
import { type HostSample, MAX_CORES, MAX_DEVICES } from '@muster/contracts';
import {
  type CpuTimes,
  type DiskCounters,
  type Memory,
  type Mount,
  type NicCounters,
  parseCpuTimes,
  parseDisks,
  parseLoad,
  parseMemory,
  parseMounts,
  parseNics,
  parsePressure,
  parseUptime,
} from './parse-proc.ts';
import { ProcReader } from './proc-reader.ts';
import { increase, perSecond, ratio } from './rates.ts';

export interface HostSamplerOptions {
  readonly reader?: ProcReader;
  /** Monotonic milliseconds. */
  readonly nowMs?: () => number;
}

/** The kernel keeps a disk's busy time in 32 bits of milliseconds: seven weeks. */
const BUSY_WRAPS_AT_MS = 2 ** 32;

/** Counters as they stood at one moment. */
interface Counters {
  readonly atMs: number;
  readonly cpus: ReadonlyMap<string, CpuTimes>;
  readonly disks: ReadonlyMap<string, DiskCounters>;
  readonly nics: ReadonlyMap<string, NicCounters>;
}

/** Samples the host. Rates are those since the last sample, at first since the sampler was made. */
export class HostSampler {
  readonly #reader: ProcReader;
  readonly #nowMs: () => number;
  #before: Counters;
  #mounts: { readonly text: string; readonly list: readonly Mount[] } = { text: '', list: [] };

  constructor({ reader = new ProcReader(), nowMs = () => performance.now() }: HostSamplerOptions = {}) {
    this.#reader = reader;
    this.#nowMs = nowMs;
    this.#before = this.#readCounters();
  }

  /**
   * What this host cannot tell is absent or empty; what every Linux tells (memory, load) is 0 if even that can't be read.
   * `pids` are all its processes.
   */
  sample(pids: readonly number[] = this.#reader.pids()): HostSample {
    const before = this.#before;
    const now = this.#readCounters();
    this.#before = now;
    const elapsedMs = now.atMs - before.atMs;
    const pressure = this.#pressure();
    return {
      ...cpuRatios(before.cpus, now.cpus),
      ...(parseLoad(this.#text('loadavg')) ?? { load1: 0, load5: 0, load15: 0 }),
      ...(parseMemory(this.#text('meminfo')) ?? NO_MEMORY),
      ...(pressure !== undefined && { pressure }),
      mounts: this.#usage(),
      disks: pairs(before.disks, now.disks).map(([then, disk]) => diskRates(then, disk, elapsedMs)),
      nics: pairs(before.nics, now.nics).map(([then, nic]) => nicRates(then, nic, elapsedMs)),
      uptimeSeconds: parseUptime(this.#text('uptime')) ?? 0,
      processCount: pids.length,
    };
  }

  [Symbol.dispose](): void {
    this.#reader[Symbol.dispose]();
  }

  #text(path: string): string {
    return this.#reader.readKept(path) ?? '';
  }

  #readCounters(): Counters {
    return {
      atMs: this.#nowMs(),
      cpus: parseCpuTimes(this.#text('stat')),
      disks: byName(parseDisks(this.#text('diskstats'))),
      nics: byName(parseNics(this.#text('net/dev'))),
    };
  }

  /** Absent before Linux 4.20, and where it is switched off. */
  #pressure(): HostSample['pressure'] {
    const [cpu, memory, io] = ['cpu', 'memory', 'io'].map((kind) => parsePressure(this.#text(`pressure/${kind}`)));
    if (cpu?.someRatio === undefined || memory?.someRatio === undefined || io?.someRatio === undefined)
      return undefined;
    return {
      cpuSomeRatio: cpu.someRatio,
      memorySomeRatio: memory.someRatio,
      memoryFullRatio: memory.fullRatio ?? 0,
      ioSomeRatio: io.someRatio,
      ioFullRatio: io.fullRatio ?? 0,
    };
  }

  #usage(): HostSample['mounts'] {
    const text = this.#text('self/mounts');
    if (text !== this.#mounts.text) this.#mounts = { text, list: parseMounts(text).slice(0, MAX_DEVICES) };
    return this.#mounts.list.flatMap((mount) => {
      try {
        const { bsize, blocks, bavail, files, ffree } = statfsSync(mount.path);
        const totalBytes = blocks * bsize;
        return [{ ...mount, totalBytes, availableBytes: bavail * bsize, inodesTotal: files, inodesFree: ffree }];
      } catch {
        // Unmounted between the two looks, or not ours to see.
        return [];
      }
    });
  }
}

const NO_MEMORY: Memory = { memoryTotalBytes: 0, memoryAvailableBytes: 0, swapTotalBytes: 0, swapFreeBytes: 0 };

function cpuRatios(
  before: ReadonlyMap<string, CpuTimes>,
  now: ReadonlyMap<string, CpuTimes>,
): Pick<HostSample, 'cpuRatio' | 'cores'> {
  const [all, ...cores] = [...now].map(([name, times]) => shares(before.get(name), times));
  return {
    cpuRatio: all === undefined ? 0 : ratio(all.userRatio + all.systemRatio, 1),
    cores: cores.slice(0, MAX_CORES),
  };
}

/** Idle and iowait may run backwards by a tick; a core that came back from offline starts anew. */
function shares(before: CpuTimes | undefined, now: CpuTimes): HostSample['cores'][number] {
  const grown = (key: keyof CpuTimes): number => Math.max(0, now[key] - (before?.[key] ?? 0));
  const userTicks = grown('user') + grown('nice');
  const systemTicks = grown('system') + grown('irq') + grown('softirq');
  const [iowaitTicks, stealTicks] = [grown('iowait'), grown('steal')];
  const allTicks = userTicks + systemTicks + iowaitTicks + stealTicks + grown('idle');
  return {
    userRatio: ratio(userTicks, allTicks),
    systemRatio: ratio(systemTicks, allTicks),
    iowaitRatio: ratio(iowaitTicks, allTicks),
    stealRatio: ratio(stealTicks, allTicks),
  };
}

function diskRates(then: DiskCounters, now: DiskCounters, elapsedMs: number): HostSample['disks'][number] {
  return {
    name: now.name,
    readBytesPerSecond: perSecond(then.readBytes, now.readBytes, elapsedMs),
    writeBytesPerSecond: perSecond(then.writtenBytes, now.writtenBytes, elapsedMs),
    readsPerSecond: perSecond(then.reads, now.reads, elapsedMs),
    writesPerSecond: perSecond(then.writes, now.writes, elapsedMs),
    busyRatio: ratio(increase(then.busyMs, now.busyMs, BUSY_WRAPS_AT_MS), elapsedMs),
  };
}

function nicRates(then: NicCounters, now: NicCounters, elapsedMs: number): HostSample['nics'][number] {
  return {
    name: now.name,
    receiveBytesPerSecond: perSecond(then.receivedBytes, now.receivedBytes, elapsedMs),
    transmitBytesPerSecond: perSecond(then.transmittedBytes, now.transmittedBytes, elapsedMs),
    receiveErrorsPerSecond: perSecond(then.receiveErrors, now.receiveErrors, elapsedMs),
    transmitErrorsPerSecond: perSecond(then.transmitErrors, now.transmitErrors, elapsedMs),
  };
}

function byName<T extends { name: string }>(items: readonly T[]): Map<string, T> {
  return new Map(items.map((item) => [item.name, item]));
}

/** Each thing of now with itself before; what is new starts next time. */
function pairs<T>(before: ReadonlyMap<string, T>, now: ReadonlyMap<string, T>): [T, T][] {
  return [...now].slice(0, MAX_DEVICES).flatMap(([name, item]): [T, T][] => {
    const then = before.get(name);
    return then === undefined ? [] : [[then, item]];
  });
}
