import { z } from 'zod';
import { Amount, Count, prose, ShortText } from '../bounds.ts';
import { OrderedEnvelope, Timestamp } from '../envelope.ts';
import { Id, InstanceNumber } from '../ids.ts';

const Ratio = Amount;
const Rate = Amount;
const Bytes = Amount;
/** Of a mount, a disk or a network card: as the kernel has it, which may be a path. */
const KernelName = prose(256);
/** Of each of them: of a host with more the first are told. */
export const MAX_DEVICES = 128;
export const MAX_CORES = 1_024;
/** In one part. */
const MAX_SAMPLES = 1_000;

/** One look at a host. What this kernel does not offer is absent, never zero. */
export const HostSample = z.object({
  /** Busy share of all cores together, 0 to 1. */
  cpuRatio: Ratio,
  cores: z
    .array(z.object({ userRatio: Ratio, systemRatio: Ratio, iowaitRatio: Ratio, stealRatio: Ratio }))
    .max(MAX_CORES),
  load1: Amount,
  load5: Amount,
  load15: Amount,
  memoryTotalBytes: Bytes,
  memoryAvailableBytes: Bytes,
  swapTotalBytes: Bytes,
  swapFreeBytes: Bytes,
  /** Pressure stall information: share of the last 10 s in which some (or all) tasks waited. */
  pressure: z
    .object({
      cpuSomeRatio: Ratio,
      memorySomeRatio: Ratio,
      memoryFullRatio: Ratio,
      ioSomeRatio: Ratio,
      ioFullRatio: Ratio,
    })
    .optional(),
  mounts: z
    .array(
      z.object({
        path: KernelName,
        device: KernelName,
        fsType: KernelName,
        totalBytes: Bytes,
        availableBytes: Bytes,
        inodesTotal: Amount,
        inodesFree: Amount,
      }),
    )
    .max(MAX_DEVICES),
  disks: z
    .array(
      z.object({
        name: KernelName,
        readBytesPerSecond: Rate,
        writeBytesPerSecond: Rate,
        readsPerSecond: Rate,
        writesPerSecond: Rate,
        busyRatio: Ratio,
      }),
    )
    .max(MAX_DEVICES),
  nics: z
    .array(
      z.object({
        name: KernelName,
        receiveBytesPerSecond: Rate,
        transmitBytesPerSecond: Rate,
        receiveErrorsPerSecond: Rate,
        transmitErrorsPerSecond: Rate,
      }),
    )
    .max(MAX_DEVICES),
  uptimeSeconds: Amount,
  processCount: Count,
});
export type HostSample = z.infer<typeof HostSample>;

/** One look at the whole process tree of one instance. */
export const ServiceSample = z.object({
  service: Id,
  instance: InstanceNumber,
  /** Cores in use: 1 is one core, so it may exceed 1. */
  cpuRatio: Ratio,
  rssBytes: Bytes,
  readBytesPerSecond: Rate.optional(),
  writeBytesPerSecond: Rate.optional(),
  threads: Count,
  processes: Count,
  uptimeSeconds: Amount,
});
export type ServiceSample = z.infer<typeof ServiceSample>;

/** What a host is made of: read once at the agent's start. */
export const HostInventory = z.object({
  cpuModel: prose(200),
  /** Logical cores. */
  cores: Count,
  physicalCores: Count,
  /** `Debian GNU/Linux 12`. */
  os: prose(200),
  kernel: prose(200),
  architecture: prose(200),
  memoryTotalBytes: Bytes,
  /** `kvm`, `docker`, …; absent on bare metal and where it can't be told. */
  virtualization: prose(200).optional(),
});
export type HostInventory = z.infer<typeof HostInventory>;

/** A metrics message is cut into parts above this size. */
export const METRICS_PART_BYTES = 256 * 1024;

/** The host's sample and those of all its services, in parts when large. Core NATS: a lost one is a gap. */
export const HostMetrics = OrderedEnvelope.extend({
  host: Id,
  /** 0-based; the host's own sample is in part 0. */
  part: Count,
  parts: z.int().min(1).max(1_000),
  intervalMs: Amount,
  sample: HostSample.optional(),
  inventory: HostInventory.optional(),
  services: z.array(ServiceSample).max(MAX_SAMPLES),
});
export type HostMetrics = z.infer<typeof HostMetrics>;

/** Chunks of any length up to this are read: released versions tell others than this one. */
export const MAX_BUCKETS_PER_CHUNK = 60;
const MAX_SERIES = 512;
/** Sums of two hours are large. */
const MAX_SUM = 1e21;
const Values = z.array(z.number().min(-MAX_SUM).max(MAX_SUM).nullable()).max(MAX_BUCKETS_PER_CHUNK);

/** Columns of one series in a chunk: one entry a bucket, null where nothing was measured. */
const RollupSeries = z.object({
  name: prose(300),
  unit: ShortText,
  count: z.array(Count).max(MAX_BUCKETS_PER_CHUNK),
  sum: Values,
  min: Values,
  max: Values,
  last: Values,
});

/** Finest first. */
export const ROLLUP_TIERS = ['1m', '15m', '2h'] as const;
export type RollupTier = (typeof ROLLUP_TIERS)[number];
export const ROLLUP_BUCKET_SECONDS: Readonly<Record<RollupTier, number>> = { '1m': 60, '15m': 900, '2h': 7_200 };
/** How many buckets a whole chunk has: half an hour, four hours, a day. */
export const BUCKETS_PER_CHUNK: Readonly<Record<RollupTier, number>> = { '1m': 30, '15m': 16, '2h': 12 };

/** Consecutive buckets of one tier, columnar; the first is the first in which something was measured. */
export const RollupColumns = z.object({
  tier: z.enum(ROLLUP_TIERS),
  /** UTC, a multiple of `bucketSeconds`. */
  firstBucketAt: Timestamp,
  bucketSeconds: z.int().min(1).max(1e9),
  series: z.array(RollupSeries).max(MAX_SERIES),
});
export type RollupColumns = z.infer<typeof RollupColumns>;

/** At most 60 buckets of one host or service. Message id = subject + first bucket. */
export const RollupChunk = OrderedEnvelope.extend(RollupColumns.shape);
export type RollupChunk = z.infer<typeof RollupChunk>;
