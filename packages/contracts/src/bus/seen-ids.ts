/**
 * What a reader has seen lately, so that what arrives twice is taken once: a message whose acknowledgement was lost is sent again,
 * and what a restored bus has lost as well. The same id on another subject is another message: whoever knows an id
 * could have the true one dropped otherwise.
 */
export class SeenIds {
  readonly #max: number;
  readonly #seen = new Set<string>();

  /** Remembers so many; beyond it the oldest are forgotten. */
  constructor(max: number) {
    this.#max = max;
  }

  /** Is it new? From then on it is not. */
  note(subject: string, id: string): boolean {
    const key = `${id} ${subject}`;
    if (this.#seen.has(key)) return false;
    if (this.#seen.size >= this.#max) this.#seen.delete(this.#seen.values().next().value ?? '');
    this.#seen.add(key);
    return true;
  }
}
