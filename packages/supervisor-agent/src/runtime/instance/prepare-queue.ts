/**
 * Has the successors of running services ready, a few at a time, once nothing more urgent goes on: at a start, an
 * adoption or a storm of crashes the agent has better things to do than to fork shells for later.
 */

import { monotonicNowMs } from '../../host/clock.ts';

/** Whatever is urgent pushes the queue back by this much… */
const QUIET_MS = 150;
/** …but no further than this since the oldest task came: what crashes often needs a successor most. */
const MAX_WAIT_MS = 1_000;
/** Prepared together: one fork of the agent for all, and a moment's work. */
const AT_ONCE = 10;

export class PrepareQueue implements Disposable {
  /** Oldest first; a newer task of the same instance replaces an older one. */
  readonly #tasks = new Map<string, () => Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  /** When the queue last began to hold something; monotonic. */
  #waitingSinceMs = 0;
  #isWorking = false;
  #isStopped = false;

  /** `task` is run later, and must find out itself whether it is still wanted. It may not reject. */
  add(instance: string, task: () => Promise<void>): void {
    if (this.#tasks.size === 0) this.#waitingSinceMs = monotonicNowMs();
    this.#tasks.delete(instance);
    this.#tasks.set(instance, task);
    this.pushBack();
  }

  /** Something urgent has happened. */
  pushBack(): void {
    if (this.#isStopped || this.#tasks.size === 0) return;
    clearTimeout(this.#timer);
    const leftMs = this.#waitingSinceMs + MAX_WAIT_MS - monotonicNowMs();
    this.#timer = setTimeout(() => void this.#work(), Math.max(0, Math.min(QUIET_MS, leftMs)));
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
      // Pushed back meanwhile: the timer takes it up again.
      while (this.#tasks.size > 0 && this.#timer === undefined && !this.#isStopped) {
        const few = [...this.#tasks].slice(0, AT_ONCE);
        for (const [instance] of few) this.#tasks.delete(instance);
        await Promise.all(few.map(([, task]) => task()));
      }
    } finally {
      this.#isWorking = false;
      if (this.#timer === undefined) this.pushBack();
    }
  }
}
