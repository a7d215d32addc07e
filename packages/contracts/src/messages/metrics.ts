import { z } from 'zod';
import { OrderedEnvelope, Timestamp } from '../envelope.ts';
import { Id, InstanceNumber } from '../ids.ts';

const Ratio = z.number().min(0);
const Rate = z.number().min(0);
const Bytes = z.number().min(0);

/** One look at a host. What this kernel does not offer is absent, never zero. */
export const HostSample = z.object({
  /** Busy share of all cores together, 0 to 1. */
  cpuRatio: Ratio,
  cores: z.array(z.object({ userRatio: Ratio, systemRatio: Ratio, iowaitRatio: Ratio, stealRatio: Ratio })),
  load1: z.number().min(0),
  load5: z.number().min(0),
  load15: z.number().min(0),
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
  mounts: z.array(
    z.object({
      path: z.string(),
      device: z.string(),
      fsType: z.string(),
      totalBytes: Bytes,
      availableBytes: Bytes,
      inodesTotal: z.number().min(0),
      inodesFree: z.number().min(0),
    }),
  ),
  disks: z.array(
    z.object({
      name: z.string(),
      readBytesPerSecond: Rate,
      writeBytesPerSecond: Rate,
      readsPerSecond: Rate,
      writesPerSecond: Rate,
      busyRatio: Ratio,
    }),
  ),
  nics: z.array(
    z.object({
      name: z.string(),
      receiveBytesPerSecond: Rate,
      transmitBytesPerSecond: Rate,
      receiveErrorsPerSecond: Rate,
      transmitErrorsPerSecond: Rate,
    }),
  ),
  uptimeSeconds: z.number().min(0),
  processCount: z.int().min(0),
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
  threads: z.int().min(0),
  processes: z.int().min(0),
  uptimeSeconds: z.number().min(0),
});
export type ServiceSample = z.infer<typeof ServiceSample>;

/** What a host is made of: read once at the agent's start. */
export const HostInventory = z.object({
  cpuModel: z.string(),
  /** Logical cores. */
  cores: z.int().min(0),
  physicalCores: z.int().min(0),
  /** `Debian GNU/Linux 12`. */
  os: z.string(),
  kernel: z.string(),
  architecture: z.string(),
  memoryTotalBytes: Bytes,
  /** `kvm`, `docker`, …; absent on bare metal and where it can't be told. */
  virtualization: z.string().optional(),
});
export type HostInventory = z.infer<typeof HostInventory>;

/** A metrics message is cut into parts above this size. */
export const METRICS_PART_BYTES = 256 * 1024;

/** The host's sample and those of all its services, in parts when large. Core NATS: a lost one is a gap. */
export const HostMetrics = OrderedEnvelope.extend({
  host: Id,
  /** 0-based; the host's own sample is in part 0. */
  part: z.int().min(0),
  parts: z.int().min(1),
  intervalMs: z.number().min(0),
  sample: HostSample.optional(),
  inventory: HostInventory.optional(),
  services: z.array(ServiceSample),
});
export type HostMetrics = z.infer<typeof HostMetrics>;

/** Columns of one series in a chunk: one entry a bucket, null where nothing was measured. */
const RollupSeries = z.object({
  name: z.string(),
  unit: z.string(),
  count: z.array(z.int().min(0)),
  sum: z.array(z.number().nullable()),
  min: z.array(z.number().nullable()),
  max: z.array(z.number().nullable()),
  last: z.array(z.number().nullable()),
});

/** Finest first. */
export const ROLLUP_TIERS = ['1m', '15m', '2h'] as const;
export type RollupTier = (typeof ROLLUP_TIERS)[number];
export const ROLLUP_BUCKET_SECONDS: Readonly<Record<RollupTier, number>> = { '1m': 60, '15m': 900, '2h': 7_200 };
/** How many buckets a whole chunk has: half an hour, four hours, a day. */
export const BUCKETS_PER_CHUNK: Readonly<Record<RollupTier, number>> = { '1m': 30, '15m': 16, '2h': 12 };
/** Chunks of any length up to this are read: released versions tell others than this one. */
export const MAX_BUCKETS_PER_CHUNK = 60;

/** Consecutive buckets of one tier, columnar; the first is the first in which something was measured. */
export const RollupColumns = z.object({
  tier: z.enum(ROLLUP_TIERS),
  /** UTC, a multiple of `bucketSeconds`. */
  firstBucketAt: Timestamp,
  bucketSeconds: z.int().min(1),
  series: z.array(RollupSeries),
});
export type RollupColumns = z.infer<typeof RollupColumns>;

/** At most 60 buckets of one host or service. Message id = subject + first bucket. */
export const RollupChunk = OrderedEnvelope.extend(RollupColumns.shape);
export type RollupChunk = z.infer<typeof RollupChunk>;
