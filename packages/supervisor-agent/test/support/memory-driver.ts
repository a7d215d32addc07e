import type { Exit } from '../../src/core/exit.ts';
import type { Driver, InstanceKey, NothingFound, Orphan, Run, RunSpec } from '../../src/drivers/driver.ts';

/** A driver whose runs live in memory: they end when they are asked to, or when a test ends them. */
export class MemoryDriver implements Driver {
  /** The newest run of each service. */
  readonly runs = new Map<string, MemoryRun>();
  /** What was done to whom, in order: `start api`, `SIGTERM api`. */
  readonly log: string[] = [];
  /** Services that take no notice of a stop signal. */
  readonly stubborn = new Set<string>();

  /** What is found of services whose processes cannot be proven. */
  readonly orphans = new Map<string, Orphan>();

  async start(spec: RunSpec): Promise<Run> {
    this.log.push(`start ${spec.service}`);
    return this.#add(spec.service, spec.generation);
  }

  /** As if an earlier agent had started it. */
  leaveBehind(service: string, generation: number): MemoryRun {
    return this.#add(service, generation);
  }

  async recover({ service }: InstanceKey): Promise<Run | NothingFound | Orphan> {
    const orphan = this.orphans.get(service);
    if (orphan !== undefined) return orphan;
    return this.runs.get(service) ?? { kind: 'nothing-found' };
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #add(service: string, generation: number): MemoryRun {
    const run = new MemoryRun(generation, 1_000 + this.runs.size, (signal) => {
      this.log.push(`${signal} ${service}`);
      if (signal === 'SIGKILL' || !this.stubborn.has(service)) run.end({ kind: 'signal', signal });
    });
    this.runs.set(service, run);
    return run;
  }
}

export class MemoryRun implements Run {
  readonly kind = 'run';
  readonly startTimeTicks = 1;
  readonly specHash = 'hash';
  readonly startedAtMs = 0;
  readonly generation: number;
  readonly pid: number;
  readonly exited: Promise<Exit>;
  readonly #onSignal: (signal: NodeJS.Signals) => void;
  #settle: (exit: Exit) => void = () => {};

  constructor(generation: number, pid: number, onSignal: (signal: NodeJS.Signals) => void) {
    this.generation = generation;
    this.pid = pid;
    this.#onSignal = onSignal;
    this.exited = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  end(exit: Exit): void {
    this.#settle(exit);
  }

  async signalTree(signal: NodeJS.Signals): Promise<void> {
    this.#onSignal(signal);
  }

  async killTree(): Promise<void> {
    this.#onSignal('SIGKILL');
  }

  async treeGone(signal: AbortSignal): Promise<void> {
    const givenUp = new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
    });
    await Promise.race([this.exited, givenUp]);
  }

  pids(): readonly number[] {
    return [this.pid];
  }
}
