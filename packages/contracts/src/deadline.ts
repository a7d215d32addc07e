/**
 * A signal that aborts after some time, or with its parent. Disposing it stops its clock.
 *
 * Not `AbortSignal.any([parent, AbortSignal.timeout(ms)])`: Node 20 holds both weakly, so they may be collected while
 * somebody waits, and then never abort.
 */
export class Deadline implements Disposable {
  readonly #controller = new AbortController();
  readonly #parent: AbortSignal;
  readonly #timer: ReturnType<typeof setTimeout>;
  readonly #onParent = () => this.#controller.abort(this.#parent.reason);

  constructor(timeoutMs: number, parent: AbortSignal) {
    this.#parent = parent;
    this.#timer = setTimeout(
      () => this.#controller.abort(new DOMException(`not within ${timeoutMs} ms`, 'TimeoutError')),
      timeoutMs,
    );
    parent.addEventListener('abort', this.#onParent);
    if (parent.aborted) this.#onParent();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#parent.removeEventListener('abort', this.#onParent);
  }
}
