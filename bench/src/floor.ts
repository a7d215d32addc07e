import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Home } from './home.ts';
import { bareEnvironment } from './processes.ts';

/** Services under a bare `child_process.spawn`, in a process of its own like the supervisors. */
export class Floor implements AsyncDisposable {
  readonly names: readonly string[];
  readonly #home = new Home('floor');
  #supervisor: ChildProcess | undefined;

  constructor(services: number) {
    this.names = Array.from({ length: services }, (_, index) => `floor-${index}`);
  }

  get lines() {
    return this.#home.lines;
  }

  /** Settles when all services have spoken. */
  async start(signal: AbortSignal): Promise<void> {
    const spoken = this.lines.nextOfAll(this.names, signal);
    const commands = this.names.map((name) => JSON.stringify(this.lines.command(name)));
    const program = fileURLToPath(new URL('./floor-supervisor.js', import.meta.url));
    // The home is in the children's environment, or nothing would find them once they have become `sleep`.
    const env = { ...bareEnvironment(), BENCH_HOME: this.#home.path };
    this.#supervisor = fork(program, commands, { env, detached: true });
    await spoken;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#supervisor?.kill('SIGKILL');
    await this.#home[Symbol.asyncDispose]();
  }
}
