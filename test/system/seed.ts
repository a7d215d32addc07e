import { randomInt } from 'node:crypto';

/** A new seed, or the one in MUSTER_SEED; printed, so that a failure can be run again. */
export function newSeed(test: string): number {
  const seed = Number(process.env['MUSTER_SEED'] ?? randomInt(1, 2 ** 31));
  console.log(`${test}: seed ${seed} (repeat with MUSTER_SEED=${seed})`);
  return seed;
}
