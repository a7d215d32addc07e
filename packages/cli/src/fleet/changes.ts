/** Remembers that something changed until somebody asks, so that a change between two looks is not missed. */
export class Changes implements Disposable {
  #hasChanged = false;
  #wake: (() => void) | undefined;
  readonly #stop: () => void;

  /** `subscribe` is given what to call on each change, and returns how to end that. */
  constructor(subscribe: (onChange: () => void) => () => void) {
    this.#stop = subscribe(() => {
      this.#hasChanged = true;
      this.#wake?.();
    });
  }

  /** Returns at the next change, at once when there was one since the last time, or when `signal` aborts. */
  async next(signal: AbortSignal): Promise<void> {
    if (!this.#hasChanged && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
    this.#wake = undefined;
    this.#hasChanged = false;
  }

  [Symbol.dispose](): void {
    this.#stop();
  }
}
