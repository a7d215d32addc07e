/** One change of the page, ready to send. */
export interface Delta {
  readonly seq: number;
  /** `{"seq":…,"patch":…}` */
  readonly json: string;
}

/** The last deltas, bounded by count and by size, so that a page that blinked can catch up. */
export class DeltaRing {
  readonly #maxCount: number;
  readonly #maxChars: number;
  #deltas: Delta[] = [];
  #chars = 0;

  constructor(maxCount: number, maxChars: number) {
    this.#maxCount = maxCount;
    this.#maxChars = maxChars;
  }

  /** `delta.seq` is one more than the last one's. */
  push(delta: Delta): void {
    this.#deltas.push(delta);
    this.#chars += delta.json.length;
    let drop = 0;
    while (this.#deltas.length - drop > this.#maxCount || this.#chars > this.#maxChars) {
      this.#chars -= this.#deltas[drop]?.json.length ?? 0;
      drop += 1;
    }
    if (drop > 0) this.#deltas = this.#deltas.slice(drop);
  }

  /** All after `seq`, oldest first; `undefined` when the first of them is no longer kept. */
  since(seq: number, lastSeq: number): readonly Delta[] | undefined {
    const missing = lastSeq - seq;
    if (missing < 0 || missing > this.#deltas.length) return undefined;
    return this.#deltas.slice(this.#deltas.length - missing);
  }
}
