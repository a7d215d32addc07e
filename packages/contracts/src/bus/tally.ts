import { messageOf } from '../message-of.ts';
import type { BusCounters, BusProblem } from './bus.ts';

/** Counts what passes, and tells what is wrong. */
export class Tally {
  readonly #onProblem: (problem: BusProblem) => void;
  readonly #counters = {
    published: 0,
    received: 0,
    dropped: 0,
    malformed: 0,
    foreign: 0,
    oversize: 0,
    forged: 0,
    refused: 0,
    doubled: 0,
  };

  constructor(onProblem: (problem: BusProblem) => void = () => {}) {
    this.#onProblem = onProblem;
  }

  get counters(): BusCounters {
    return { ...this.#counters };
  }

  count(what: 'published' | 'received' | 'dropped' | 'refused' | 'doubled'): void {
    this.#counters[what]++;
  }

  problem(kind: BusProblem['kind'], subject: string | undefined, reason: string): void {
    if (kind !== 'permission' && kind !== 'error') this.#counters[kind]++;
    this.#onProblem(subject === undefined ? { kind, reason } : { kind, subject, reason });
  }

  /** Runs a handler of somebody else: what it throws must not end the loop that called it. */
  guard(subject: string, run: () => void): void {
    try {
      run();
    } catch (error) {
      this.problem('error', subject, `handler failed: ${messageOf(error)}`);
    }
  }
}
