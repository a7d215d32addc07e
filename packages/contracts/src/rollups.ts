import { NONE } from './ids.ts';
import { BUCKETS_PER_CHUNK, ROLLUP_BUCKET_SECONDS, type RollupTier } from './messages/metrics.ts';
import { rows } from './rows.ts';

/** The rows of each tier. */
export const hostRollups = { '1m': rows.hostRollup1m, '15m': rows.hostRollup15m, '2h': rows.hostRollup2h } as const;
export const serviceRollups = {
  '1m': rows.serviceRollup1m,
  '15m': rows.serviceRollup15m,
  '2h': rows.serviceRollup2h,
} as const;

/** A chunk is of one host, or of one service of it. */
export interface ChunkPlace {
  readonly host: string;
  readonly service?: string | undefined;
  readonly tier: RollupTier;
}

/** The message id of a chunk: no other chunk of its subject begins with the same bucket. */
export function chunkId({ host, service = NONE, tier }: ChunkPlace, firstBucketAt: string): string {
  return `${host}/${service}/${tier}/${firstBucketAt}`;
}

/** How long a whole chunk is. */
export function chunkMsOf(tier: RollupTier): number {
  return BUCKETS_PER_CHUNK[tier] * ROLLUP_BUCKET_SECONDS[tier] * 1_000;
}
