/**
 * The history of one host's metrics, in tiers: samples fill the buckets of the finest one, and each bucket that is closed
 * is added to the tier above. Knows no clock, disk or bus: wall-clock milliseconds come in, complete chunks come out.
 */
import { ROLLUP_BUCKET_SECONDS, ROLLUP_TIERS, type RollupTier } from '@muster/contracts';
import type { Subject } from './bucket.ts';
import type { Chunk } from './chunk.ts';
import type { Measurement } from './kept-series.ts';
import { Tier, type TierState } from './tier.ts';

/** What a rollup knows, for the disk. */
export type RollupState = Readonly<Record<RollupTier, TierState>>;

export class Rollup {
  /** Finest first. */
  readonly #tiers: readonly Tier[];
  #late = 0;

  /** `phase`, at least 0 and below 1, is where within the length of a chunk this rollup's chunks end. */
  constructor(phase: number, state?: RollupState) {
    this.#tiers = ROLLUP_TIERS.map((tier) => new Tier(tier, ROLLUP_BUCKET_SECONDS[tier] * 1_000, phase, state?.[tier]));
  }

  get state(): RollupState {
    return Object.fromEntries(this.#tiers.map(({ tier, state }) => [tier, state])) as RollupState;
  }

  /** How many looks, or closed buckets, fell into a time that was closed before: the wall clock was put back. */
  get late(): number {
    return this.#late;
  }

  /** One look at everything, at `nowMs`. Returns the chunks that are complete now, and whether a bucket was closed. */
  add(
    nowMs: number,
    measured: ReadonlyMap<Subject, readonly Measurement[]>,
  ): { readonly chunks: readonly Chunk[]; readonly hasClosed: boolean } {
    const chunks: Chunk[] = [];
    let hasClosed = false;
    for (const [at, tier] of this.#tiers.entries()) {
      const completed = tier.advance(nowMs);
      chunks.push(...completed.chunks);
      if (completed.bucket === undefined) continue;
      hasClosed = true;
      const above = this.#tiers[at + 1];
      if (above?.takeBucket(completed.bucket) === false) this.#late += 1;
    }
    const [finest] = this.#tiers;
    const isLate = [...measured].map(([subject, values]) => finest?.take(nowMs, subject, values)).includes(false);
    if (isLate) this.#late += 1;
    return { chunks, hasClosed };
  }

  /** Of whom something is known that is in no complete chunk yet. */
  subjects(tier: RollupTier): ReadonlySet<Subject> {
    return this.#tier(tier).subjects;
  }

  /** As `Tier.forget`. */
  forget(tier: RollupTier, subject: Subject, firstMs: number): void {
    this.#tier(tier).forget(subject, firstMs);
  }

  /** What is known of a subject and in no complete chunk yet, up to the last look. */
  open(tier: RollupTier, subject: Subject): Chunk | undefined {
    // Oldest first: the open bucket of a higher tier holds what came before those below it.
    const lower = ROLLUP_TIERS.slice(0, ROLLUP_TIERS.indexOf(tier)).reverse();
    return this.#tier(tier).peek(
      subject,
      lower.flatMap((one) => this.#tier(one).open ?? []),
    );
  }

  #tier(tier: RollupTier): Tier {
    return this.#tiers[ROLLUP_TIERS.indexOf(tier)] as Tier;
  }
}
