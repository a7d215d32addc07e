import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { waitUntil } from '../wait-until.ts';

/** A process of the simulation, and the last thing of each kind that it said. Disposing ends it. */
export class Worker<Message extends { readonly type: string }> implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #said = new Map<string, Message>();
  readonly #signal: AbortSignal;
  #errors = '';

  constructor(program: string, args: readonly string[], signal: AbortSignal) {
    this.#signal = signal;
    this.#child = fork(path.join(import.meta.dirname, program), args, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    this.#child.on('message', (message) => this.#said.set((message as Message).type, message as Message));
    this.#child.stderr?.on('data', (data: Buffer) => {
      this.#errors += String(data);
    });
  }

  /** @throws Error when it does not run. */
  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the worker could not be started');
    return this.#child.pid;
  }

  tell(message: object): void {
    this.#child.send(message);
  }

  /** Its last message of that type; waits for the first one. @throws Error with what it printed when it ended. */
  said<T extends Message['type']>(type: T, timeoutMs = 60_000): Promise<Extract<Message, { readonly type: T }>> {
    const find = () => {
      const { exitCode } = this.#child;
      if (exitCode !== null) throw new Error(`a worker ended with ${exitCode}: ${this.#errors.trim()}`);
      return this.#said.get(type) as Extract<Message, { readonly type: T }> | undefined;
    };
    return waitUntil(find, { what: `'${type}' from a worker`, signal: this.#signal, timeoutMs, pollMs: 20 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}
