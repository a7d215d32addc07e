/** What a rollup knows, on disk: replaced as a whole each minute, so that `kill -9` costs at most the last minute. */
import { ROLLUP_TIERS, type RollupTier } from '@muster/contracts';
import { z } from 'zod';
import { readFileIfAny, replaceFile } from '../atomic-file.ts';
import type { Bucket } from '../core/rollup/bucket.ts';
import type { RollupMemory } from '../core/rollup/rollup.ts';
import type { TierMemory } from '../core/rollup/tier.ts';

/** In the order count, sum, min, max, last. */
const SavedStat = z.tuple([z.string(), z.int().min(1), z.number(), z.number(), z.number(), z.number()]);
const SavedBucket = z.object({
  atMs: z.int(),
  subjects: z.record(z.string(), z.record(z.string(), SavedStat)),
});
type SavedBucket = z.infer<typeof SavedBucket>;
const SavedTier = z.object({
  open: SavedBucket.nullable(),
  closed: z.array(SavedBucket),
  spans: z.array(z.tuple([z.int(), z.int()])),
});
const RollupFile = z.object({ tiers: z.record(z.enum(ROLLUP_TIERS), SavedTier) });

/** @throws Error when the disk does not take it */
export function saveRollup(file: string, memory: RollupMemory): void {
  const tiers = eachTier((tier) => {
    const { open, closed, spans } = memory[tier];
    return { open: open === undefined ? null : bucketToJson(open), closed: closed.map(bucketToJson), spans };
  });
  replaceFile(file, JSON.stringify({ tiers }));
}

/** `undefined` when there is none yet. @throws Error when it can't be read, or is none of ours */
export function readRollup(file: string): RollupMemory | undefined {
  const text = readFileIfAny(file);
  if (text === undefined) return undefined;
  const { tiers } = RollupFile.parse(JSON.parse(text));
  return eachTier((tier): TierMemory => {
    const { open, closed, spans } = tiers[tier];
    return { open: open === null ? undefined : bucketFromJson(open), closed: closed.map(bucketFromJson), spans };
  });
}

function eachTier<T>(of: (tier: RollupTier) => T): Record<RollupTier, T> {
  return { '1m': of('1m'), '15m': of('15m'), '2h': of('2h') };
}

function bucketToJson({ atMs, subjects }: Bucket): SavedBucket {
  const saved = [...subjects].map(([subject, stats]) => {
    const series = [...stats].map(([name, { unit, count, sum, min, max, last }]) => {
      return [name, [unit, count, sum, min, max, last]];
    });
    return [subject, Object.fromEntries(series)];
  });
  return { atMs, subjects: Object.fromEntries(saved) };
}

function bucketFromJson({ atMs, subjects }: SavedBucket): Bucket {
  const read = Object.entries(subjects).map(([subject, series]) => {
    const stats = Object.entries(series).map(([name, [unit, count, sum, min, max, last]]) => {
      return [name, { unit, count, sum, min, max, last }] as const;
    });
    return [subject, new Map(stats)] as const;
  });
  return { atMs, subjects: new Map(read) };
}
