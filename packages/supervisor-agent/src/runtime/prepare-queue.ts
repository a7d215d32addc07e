/**
 * Has the successors of running services ready, one after the other, once nothing more urgent goes on: at a start, an
 * adoption or a storm of crashes the agent has better things to do than to fork shells for later.
 */

/** Whatever is urgent pushes the queue back by this much. */
const QUIET_MS = 1_000;

export class PrepareQueue implements Disposable {
  /** Oldest first; a newer task of the same instance replaces an older one. */
  readonly #tasks = new Map<string, () => Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #isWorking = false;
  #isStopped = false;

  /** `task` is run later, and must find out itself whether it is still wanted. It may not reject. */
  add(instance: string, task: () => Promise<void>): void {
    this.#tasks.delete(instance);
    this.#tasks.set(instance, task);
    this.pushBack();
  }

  /** Something urgent has happened. */
  pushBack(): void {
    if (this.#isStopped) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#work(), QUIET_MS);
  }

  [Symbol.dispose](): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#tasks.clear();
  }

  async #work(): Promise<void> {
    this.#timer = undefined;
    if (this.#isWorking) return;
    this.#isWorking = true;
    try {
      for (const [instance, task] of this.#tasks) {
        // Pushed back meanwhile: the timer takes it up again.
        if (this.#timer !== undefined || this.#isStopped) break;
        this.#tasks.delete(instance);
        await task();
      }
    } finally {
      this.#isWorking = false;
      if (this.#tasks.size > 0 && this.#timer === undefined) this.pushBack();
    }
  }
}
