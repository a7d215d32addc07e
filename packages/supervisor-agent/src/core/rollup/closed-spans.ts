/** From the start of the first bucket to the start of the last, both closed, and all between. */
export type Span = readonly [firstMs: number, lastMs: number];

/** Clocks jump rarely. When they do it often, what lies between the oldest spans counts as closed too. */
const MAX_SPANS = 16;

/**
 * Which buckets are closed, and may therefore not be begun again when the wall clock comes to them once more. A clock that
 * goes forward makes one span; a bucket in which nothing was measured stays open to a clock that is put back.
 */
export class ClosedSpans {
  readonly #bucketMs: number;
  #spans: readonly Span[];

  constructor(bucketMs: number, spans: readonly Span[] = []) {
    this.#bucketMs = bucketMs;
    this.#spans = spans;
  }

  get spans(): readonly Span[] {
    return this.#spans;
  }

  has(atMs: number): boolean {
    return this.#spans.some(([firstMs, lastMs]) => firstMs <= atMs && atMs <= lastMs);
  }

  add(atMs: number): void {
    const spans: Span[] = [];
    for (const span of [...this.#spans, [atMs, atMs] as const].sort(([a], [b]) => a - b)) {
      const before = spans.at(-1);
      if (before !== undefined && span[0] <= before[1] + this.#bucketMs) {
        spans[spans.length - 1] = [before[0], Math.max(before[1], span[1])];
      } else {
        spans.push(span);
      }
    }
    const [first, second, ...rest] = spans;
    const isTooMany = spans.length > MAX_SPANS && first !== undefined && second !== undefined;
    this.#spans = isTooMany ? [[first[0], second[1]], ...rest] : spans;
  }
}
