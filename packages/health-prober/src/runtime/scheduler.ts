/** Timers and concurrency: starts each target's probe when it is due, never too many at once, and never one twice. */
import { type Cadence, type Caps, firstDueMs, followingDueMs, hasRoom, isTooLate } from '../core/schedule.ts';
import { monotonicMs } from './clock.ts';

/** One thing to be probed again and again. */
export interface Task {
  readonly key: string;
  readonly host: string;
  /** Settles when the probe is over, with whether its failure is still being confirmed. Never rejects. */
  run(signal: AbortSignal): Promise<{ readonly isSoft: boolean }>;
  /** Its turn came too late to count. */
  skip(lateMs: number): void;
}

interface Entry {
  readonly task: Task;
  readonly stopping: AbortController;
  dueMs: number;
  timer?: NodeJS.Timeout;
  isRunning: boolean;
}

export class Scheduler {
  readonly #cadence: Cadence;
  readonly #caps: Caps;
  readonly #entries = new Map<string, Entry>();
  /** Due, and waiting for room. */
  readonly #queue = new Set<Entry>();
  readonly #runningOnHost = new Map<string, number>();
  #running = 0;

  constructor(cadence: Cadence, caps: Caps) {
    this.#cadence = cadence;
    this.#caps = caps;
  }

  get size(): number {
    return this.#entries.size;
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  /** Takes the place of the task with the same key, whose probe is given up. */
  set(task: Task): void {
    this.remove(task.key);
    const dueMs = firstDueMs(task.key, this.#cadence, monotonicMs());
    const entry: Entry = { task, stopping: new AbortController(), dueMs, isRunning: false };
    this.#entries.set(task.key, entry);
    this.#arm(entry);
  }

  remove(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#queue.delete(entry);
    clearTimeout(entry.timer);
    entry.stopping.abort();
  }

  /** Its turn is now. False when there is no such task. */
  hurry(key: string): boolean {
    const entry = this.#entries.get(key);
    if (entry === undefined) return false;
    if (entry.isRunning) return true;
    entry.dueMs = monotonicMs();
    this.#arm(entry);
    return true;
  }

  stop(): void {
    for (const key of this.#entries.keys()) this.remove(key);
  }

  #arm(entry: Entry): void {
    clearTimeout(entry.timer);
    entry.timer = setTimeout(() => this.#due(entry), Math.max(0, entry.dueMs - monotonicMs()));
  }

  #due(entry: Entry): void {
    this.#queue.add(entry);
    this.#startWaiting();
  }

  #startWaiting(): void {
    for (const entry of this.#queue) {
      if (this.#running >= this.#caps.total) return;
      const lateMs = monotonicMs() - entry.dueMs;
      const isLate = isTooLate(entry.dueMs, monotonicMs(), this.#cadence.intervalMs);
      const onHost = this.#runningOnHost.get(entry.task.host) ?? 0;
      if (!isLate && !hasRoom({ total: this.#running, perHost: onHost }, this.#caps)) continue;
      this.#queue.delete(entry);
      if (isLate) {
        entry.task.skip(lateMs);
        this.#follow(entry, false);
      } else {
        void this.#run(entry, onHost);
      }
    }
  }

  async #run(entry: Entry, onHost: number): Promise<void> {
    const { host } = entry.task;
    entry.isRunning = true;
    this.#running += 1;
    this.#runningOnHost.set(host, onHost + 1);
    const { isSoft } = await entry.task.run(entry.stopping.signal);
    entry.isRunning = false;
    this.#running -= 1;
    const left = (this.#runningOnHost.get(host) ?? 1) - 1;
    if (left === 0) this.#runningOnHost.delete(host);
    else this.#runningOnHost.set(host, left);
    if (this.#entries.get(entry.task.key) === entry) this.#follow(entry, isSoft);
    this.#startWaiting();
  }

  #follow(entry: Entry, isSoft: boolean): void {
    entry.dueMs = followingDueMs(entry.task.key, this.#cadence, monotonicMs(), isSoft);
    this.#arm(entry);
  }
}
