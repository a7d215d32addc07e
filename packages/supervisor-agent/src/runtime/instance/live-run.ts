import type { Run } from '../../drivers/driver.ts';

export interface InstanceProbes extends Disposable {
  start(from: 'startup' | 'readiness'): void;
}

/** One run from its start to the end of its tree. */
export class LiveRun {
  readonly generation: number;
  /** While it lives. */
  run: Run | undefined;
  readonly #start: AbortController;
  /** Settles with the driver's answer; `undefined` when it gave none. */
  readonly #answer: Promise<Run | undefined>;
  #probes: InstanceProbes | undefined;
  #isWatchingTree = false;

  /** `start` calls off a start that is under way. */
  constructor(generation: number, answer: Promise<Run | undefined>, start = new AbortController()) {
    this.generation = generation;
    this.#answer = answer;
    this.#start = start;
  }

  /** Probes are opened once for a run, also when they have been stopped since. */
  get isProbed(): boolean {
    return this.#probes !== undefined;
  }

  startProbes(probes: InstanceProbes, from: 'startup' | 'readiness'): void {
    this.#probes = probes;
    probes.start(from);
  }

  stopProbes(): void {
    this.#probes?.[Symbol.dispose]();
  }

  /** A start under way is called off; if it came about after all, `spawned` makes the core signal it again. */
  async stopTree(act: (run: Run) => Promise<void>, onGone: () => void, closing: AbortSignal): Promise<void> {
    this.#start.abort();
    const run = await this.#answer;
    if (run === undefined || closing.aborted) return;
    await act(run);
    if (this.#isWatchingTree) return;
    this.#isWatchingTree = true;
    try {
      await run.treeGone(closing);
    } catch (error) {
      // The next signal looks again: else nobody would ever learn that the tree is gone.
      this.#isWatchingTree = false;
      throw error;
    }
    onGone();
  }

  /** The service goes on. */
  letGo(): void {
    this.#start.abort();
    this.stopProbes();
  }
}
