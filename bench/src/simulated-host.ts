import type { HostSample, ServiceSample } from '@muster/contracts';

/** What the host and its services look like each 10 s: quantized as the kernel does it, so that it packs as real values do. */
export interface SimulatedHost {
  look(): { readonly host: HostSample; readonly services: readonly ServiceSample[] };
}

const PAGE_BYTES = 4_096;
/** Of ten services: two work all the time, five now and then, three wait. */
const KINDS = ['busy', 'busy', 'quiet', 'quiet', 'quiet', 'quiet', 'quiet', 'idle', 'idle', 'idle'] as const;
const CORES = 4;
const GIGABYTE = 1e9;

/** `random` gives numbers from 0 to 1. */
export function simulateHost(services: number, random: () => number): SimulatedHost {
  const rssPages = Array.from({ length: services }, () => 5_000 + Math.floor(random() * 50_000));
  let usedBytes = 3 * GIGABYTE;
  let diskBytes = 40 * GIGABYTE;

  function service(index: number): ServiceSample {
    const kind = KINDS[index % KINDS.length] ?? 'idle';
    const chance = random();
    const isActive = kind === 'busy' || (kind === 'quiet' && chance < 0.2);
    if (kind === 'busy') rssPages[index] = (rssPages[index] ?? 0) + Math.floor(random() * 200) - 100;
    else if (chance < 0.01) rssPages[index] = (rssPages[index] ?? 0) + Math.floor(random() * 20);
    // A clock tick of 10 ms in 10 s is a thousandth of a core.
    const cpuTicks = kind === 'busy' ? 150 + random() * 300 : isActive ? random() * 12 : 0;
    return {
      service: `service-${index}`,
      instance: 0,
      cpuRatio: Math.round(cpuTicks) / 1_000,
      rssBytes: (rssPages[index] ?? 0) * PAGE_BYTES,
      readBytesPerSecond: 0,
      writeBytesPerSecond: isActive ? (Math.floor(random() * (kind === 'busy' ? 200 : 3)) * PAGE_BYTES) / 10 : 0,
      threads: kind === 'busy' ? 24 + Math.floor(random() * 3) : 11,
      processes: 1,
      uptimeSeconds: 3_600,
    };
  }

  function host(all: readonly ServiceSample[]): HostSample {
    const cpuRatio = all.reduce((sum, { cpuRatio }) => sum + cpuRatio, 0) / CORES;
    const writeBytesPerSecond = all.reduce((sum, one) => sum + (one.writeBytesPerSecond ?? 0), 0);
    usedBytes += Math.floor(random() * 200 - 100) * PAGE_BYTES;
    diskBytes += writeBytesPerSecond;
    const share = () => Math.round(random() * 20) / 1_000;
    const core = () => ({ userRatio: cpuRatio, systemRatio: 0.01, iowaitRatio: share(), stealRatio: 0 });
    return {
      cpuRatio,
      cores: Array.from({ length: CORES }, core),
      load1: Math.round(cpuRatio * CORES * (80 + random() * 40)) / 100,
      load5: 1,
      load15: 1,
      memoryTotalBytes: 16 * GIGABYTE,
      memoryAvailableBytes: 16 * GIGABYTE - usedBytes,
      swapTotalBytes: GIGABYTE,
      swapFreeBytes: GIGABYTE,
      pressure: {
        cpuSomeRatio: share(),
        memorySomeRatio: 0,
        memoryFullRatio: 0,
        ioSomeRatio: share(),
        ioFullRatio: 0,
      },
      mounts: ['/', '/var'].map((path) => ({
        path,
        device: '/dev/vda1',
        fsType: 'ext4',
        totalBytes: 200 * GIGABYTE,
        availableBytes: 200 * GIGABYTE - diskBytes,
        inodesTotal: 1e7,
        inodesFree: 9e6,
      })),
      disks: [
        {
          name: 'vda',
          readBytesPerSecond: Math.floor(random() * 4) * PAGE_BYTES,
          writeBytesPerSecond,
          readsPerSecond: 1,
          writesPerSecond: 10,
          busyRatio: share(),
        },
      ],
      nics: [
        {
          name: 'eth0',
          receiveBytesPerSecond: Math.floor(20_000 + random() * 30_000),
          transmitBytesPerSecond: Math.floor(20_000 + random() * 30_000),
          receiveErrorsPerSecond: 0,
          transmitErrorsPerSecond: 0,
        },
      ],
      uptimeSeconds: 3_600,
      processCount: 220 + Math.floor(random() * 5),
    };
  }

  return {
    look() {
      const all = Array.from({ length: services }, (_, index) => service(index));
      return { host: host(all), services: all };
    },
  };
}
