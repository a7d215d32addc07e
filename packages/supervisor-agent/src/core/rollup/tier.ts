/** One tier of a rollup: the bucket that is being filled, and those before it that wait for their chunk to be complete. */
import { BUCKETS_PER_CHUNK, type RollupTier } from '@muster/contracts';
import { addBucket, addMeasurements, type Bucket, emptyBucket, onlyOf, type Subject } from './bucket.ts';
import { type Chunk, chunkOf } from './chunk.ts';
import { ClosedSpans, type Span } from './closed-spans.ts';
import type { Measurement } from './kept-series.ts';

/** What a tier knows, for the disk. */
export interface TierState {
  readonly open: Bucket | undefined;
  /** Closed, in a chunk that is not complete. */
  readonly closed: readonly Bucket[];
  readonly spans: readonly Span[];
}

/** What an advance of time completed. */
interface Completed {
  readonly bucket: Bucket | undefined;
  readonly chunks: readonly Chunk[];
}

const NOTHING: Completed = { bucket: undefined, chunks: [] };

export class Tier {
  readonly tier: RollupTier;
  readonly bucketMs: number;
  readonly #chunkMs: number;
  readonly #phaseMs: number;
  readonly #spans: ClosedSpans;
  #open: Bucket | undefined;
  #closed: Bucket[];

  /** `phase`, at least 0 and below 1, is where within the length of a chunk one ends and the next begins. */
  constructor(tier: RollupTier, bucketMs: number, phase: number, state?: TierState) {
    this.tier = tier;
    this.bucketMs = bucketMs;
    this.#chunkMs = bucketMs * BUCKETS_PER_CHUNK[tier];
    this.#phaseMs = bucketMs * Math.floor(phase * BUCKETS_PER_CHUNK[tier]);
    this.#spans = new ClosedSpans(bucketMs, state?.spans);
    this.#open = state?.open;
    this.#closed = [...(state?.closed ?? [])];
  }

  get state(): TierState {
    return { open: this.#open, closed: this.#closed, spans: this.#spans.spans };
  }

  /**
   * It is `nowMs`: closes the bucket that is over, and then its chunk. A clock that was put back into what is closed closes
   * nothing: it will come to the open bucket again.
   */
  advance(nowMs: number): Completed {
    const atMs = floor(nowMs, this.bucketMs);
    const isPutBack = this.#open !== undefined && atMs < this.#open.atMs && this.#spans.has(atMs);
    if (isPutBack) return NOTHING;
    const bucket = this.#open === undefined || this.#open.atMs === atMs ? undefined : this.#open;
    if (bucket !== undefined) {
      this.#open = undefined;
      this.#closed.push(bucket);
      this.#spans.add(bucket.atMs);
    }
    return { bucket, chunks: this.#completedChunks(atMs) };
  }

  /** False when the time belongs to a bucket that is closed: nothing is changed after it was told. */
  take(nowMs: number, subject: Subject, measured: readonly Measurement[]): boolean {
    const bucket = this.#bucketAt(nowMs);
    if (bucket !== undefined) addMeasurements(bucket, subject, measured);
    return bucket !== undefined;
  }

  /** As `take`, of a bucket that the tier below has closed. */
  takeBucket(lower: Bucket): boolean {
    const bucket = this.#bucketAt(lower.atMs);
    if (bucket !== undefined) addBucket(bucket, lower);
    return bucket !== undefined;
  }

  /** What is known of a subject and not yet told; `lower` are the open buckets of the tiers below, not yet added to this one. */
  peek(subject: Subject, lower: readonly Bucket[]): Chunk | undefined {
    const known = new Map<number, Bucket>();
    for (const bucket of [...this.#untold(), ...lower]) {
      const atMs = floor(bucket.atMs, this.bucketMs);
      const sum = known.get(atMs) ?? emptyBucket(atMs);
      addBucket(sum, onlyOf(bucket, subject));
      known.set(atMs, sum);
    }
    return chunkOf(this.tier, this.bucketMs, subject, [...known.values()]);
  }

  /**
   * Forgets what is known of a subject from `firstMs` on, as far as the same chunk goes: that chunk has been told, by a
   * process that died before it could write so down.
   */
  forget(subject: Subject, firstMs: number): void {
    for (const { atMs, subjects } of this.#untold()) {
      if (atMs >= firstMs && this.#chunkAt(atMs) === this.#chunkAt(firstMs)) subjects.delete(subject);
    }
  }

  get open(): Bucket | undefined {
    return this.#open;
  }

  /** Of whom something is known that is in no complete chunk yet. */
  get subjects(): ReadonlySet<Subject> {
    return new Set(this.#untold().flatMap(({ subjects }) => [...subjects.keys()]));
  }

  #untold(): readonly Bucket[] {
    return this.#open === undefined ? this.#closed : [...this.#closed, this.#open];
  }

  #bucketAt(nowMs: number): Bucket | undefined {
    const atMs = floor(nowMs, this.bucketMs);
    if (this.#spans.has(atMs)) return undefined;
    this.#open ??= emptyBucket(atMs);
    return this.#open.atMs === atMs ? this.#open : undefined;
  }

  /** The number of the chunk that a time belongs to. */
  #chunkAt(atMs: number): number {
    return Math.floor((atMs - this.#phaseMs) / this.#chunkMs);
  }

  #completedChunks(atMs: number): readonly Chunk[] {
    const isOver = (bucket: Bucket) => this.#chunkAt(bucket.atMs) !== this.#chunkAt(atMs);
    const over = this.#closed.filter(isOver);
    if (over.length === 0) return [];
    this.#closed = this.#closed.filter((bucket) => !isOver(bucket));
    const subjects = new Set(over.flatMap((bucket) => [...bucket.subjects.keys()]));
    return [...subjects].flatMap((subject) => chunkOf(this.tier, this.bucketMs, subject, over) ?? []);
  }
}

function floor(ms: number, stepMs: number): number {
  return Math.floor(ms / stepMs) * stepMs;
}
