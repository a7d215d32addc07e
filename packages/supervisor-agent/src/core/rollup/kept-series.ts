/**
 * Which series are kept as history, with their unit and how each is read from a sample. Adding one is one row. What is
 * not measured here is left out, never zero.
 */
import type { HostSample, ServiceSample } from '@muster/contracts';

/** One value of one series. */
export interface Measurement {
  readonly name: string;
  readonly unit: string;
  readonly value: number;
}

interface KeptSeries<Sample> {
  readonly name: string;
  /** `ratio` is a share of 1, or of one core for CPU. */
  readonly unit: 'ratio' | 'bytes' | 'bytes/s' | 'load' | 'count';
  readonly read: (sample: Sample) => number | undefined;
}

const HOST_SERIES: readonly KeptSeries<HostSample>[] = [
  { name: 'cpu', unit: 'ratio', read: ({ cpuRatio }) => cpuRatio },
  { name: 'cpu.iowait', unit: 'ratio', read: ({ cores }) => mean(cores.map(({ iowaitRatio }) => iowaitRatio)) },
  { name: 'cpu.steal', unit: 'ratio', read: ({ cores }) => mean(cores.map(({ stealRatio }) => stealRatio)) },
  { name: 'load1', unit: 'load', read: ({ load1 }) => load1 },
  { name: 'memory', unit: 'bytes', read: (host) => host.memoryTotalBytes - host.memoryAvailableBytes },
  { name: 'swap', unit: 'bytes', read: (host) => host.swapTotalBytes - host.swapFreeBytes },
  { name: 'pressure.cpu', unit: 'ratio', read: ({ pressure }) => pressure?.cpuSomeRatio },
  { name: 'pressure.memory', unit: 'ratio', read: ({ pressure }) => pressure?.memorySomeRatio },
  { name: 'pressure.io', unit: 'ratio', read: ({ pressure }) => pressure?.ioSomeRatio },
  { name: 'disk.read', unit: 'bytes/s', read: ({ disks }) => sum(disks.map((disk) => disk.readBytesPerSecond)) },
  { name: 'disk.write', unit: 'bytes/s', read: ({ disks }) => sum(disks.map((disk) => disk.writeBytesPerSecond)) },
  { name: 'disk.busy', unit: 'ratio', read: ({ disks }) => largest(disks.map(({ busyRatio }) => busyRatio)) },
  { name: 'net.receive', unit: 'bytes/s', read: ({ nics }) => sum(nics.map((nic) => nic.receiveBytesPerSecond)) },
  { name: 'net.transmit', unit: 'bytes/s', read: ({ nics }) => sum(nics.map((nic) => nic.transmitBytesPerSecond)) },
  { name: 'processes', unit: 'count', read: ({ processCount }) => processCount },
];

const SERVICE_SERIES: readonly KeptSeries<ServiceSample>[] = [
  { name: 'cpu', unit: 'ratio', read: ({ cpuRatio }) => cpuRatio },
  { name: 'memory', unit: 'bytes', read: ({ rssBytes }) => rssBytes },
  { name: 'disk.read', unit: 'bytes/s', read: ({ readBytesPerSecond }) => readBytesPerSecond },
  { name: 'disk.write', unit: 'bytes/s', read: ({ writeBytesPerSecond }) => writeBytesPerSecond },
  { name: 'threads', unit: 'count', read: ({ threads }) => threads },
];

/** More mounts than this are not kept: a host with thousands of them would fill the stream. */
const MAX_MOUNTS = 16;

/** What is kept of a host: the table above, and of each mount how full it is (`mount./var`). */
export function measureHost(host: HostSample): readonly Measurement[] {
  const mounts = host.mounts.slice(0, MAX_MOUNTS).map(({ path, totalBytes, availableBytes }) => ({
    name: `mount.${path}`,
    unit: 'ratio',
    value: totalBytes === 0 ? 0 : 1 - availableBytes / totalBytes,
  }));
  return [...read(HOST_SERIES, host), ...mounts];
}

/** What is kept of a service: the sum over its instances. */
export function measureService(instances: readonly ServiceSample[]): readonly Measurement[] {
  return SERVICE_SERIES.flatMap(({ name, unit, read }) => {
    const value = sum(instances.map(read).filter((one) => one !== undefined));
    return value === undefined ? [] : [{ name, unit, value }];
  });
}

function read<Sample>(table: readonly KeptSeries<Sample>[], sample: Sample): readonly Measurement[] {
  return table.flatMap(({ name, unit, read }) => {
    const value = read(sample);
    return value === undefined ? [] : [{ name, unit, value }];
  });
}

function sum(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : values.reduce((total, value) => total + value, 0);
}

function mean(values: readonly number[]): number | undefined {
  const total = sum(values);
  return total === undefined ? undefined : total / values.length;
}

function largest(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : Math.max(...values);
}
