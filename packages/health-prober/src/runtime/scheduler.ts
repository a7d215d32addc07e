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
  /** Due, and waiting for room, by host: one that has much to wait for costs the others nothing. Hosts take turns. */
  readonly #waiting = new Map<string, Set<Entry>>();
  readonly #runningOnHost = new Map<string, number>();
  #running = 0;

  constructor(cadence: Cadence, caps: Caps) {
    this.#cadence = cadence;
    this.#caps = caps;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Due, and without room so far. */
  get waiting(): number {
    return [...this.#waiting.values()].reduce((sum, entries) => sum + entries.size, 0);
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
    this.#dequeue(entry);
    clearTimeout(entry.timer);
    entry.stopping.abort();
  }

  /** Its turn is now. False when there is no such task. */
  probeNow(key: string): boolean {
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
    const { host } = entry.task;
    const waiting = this.#waiting.get(host) ?? new Set();
    this.#waiting.set(host, waiting.add(entry));
    this.#startOn(host, waiting);
  }

  #startWaiting(): void {
    for (const [host, waiting] of this.#waiting) {
      if (this.#running >= this.#caps.total) return;
      this.#startOn(host, waiting);
    }
  }

  /** As many as there is room for, in the order in which they were due. */
  #startOn(host: string, waiting: ReadonlySet<Entry>): void {
    for (const entry of waiting) {
      if (this.#running >= this.#caps.total) return;
      const nowMs = monotonicMs();
      const onHost = this.#runningOnHost.get(host) ?? 0;
      if (isTooLate(entry.dueMs, nowMs, this.#cadence.intervalMs)) {
        this.#dequeue(entry);
        entry.task.skip(nowMs - entry.dueMs);
        this.#follow(entry, false);
      } else if (hasRoom({ total: this.#running, perHost: onHost }, this.#caps)) {
        this.#dequeue(entry);
        this.#toTheEnd(host);
        void this.#run(entry, onHost);
      } else {
        return;
      }
    }
  }

  #dequeue(entry: Entry): void {
    const { host } = entry.task;
    const waiting = this.#waiting.get(host);
    waiting?.delete(entry);
    if (waiting?.size === 0) this.#waiting.delete(host);
  }

  #toTheEnd(host: string): void {
    const waiting = this.#waiting.get(host);
    if (waiting === undefined) return;
    this.#waiting.delete(host);
    this.#waiting.set(host, waiting);
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
