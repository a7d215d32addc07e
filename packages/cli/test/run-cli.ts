import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const ROOT_DIR = resolve(import.meta.dirname, '../../..');
const BIN = join(ROOT_DIR, 'packages/cli/bin/muster.mjs');

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running `muster`, or another program. Disposing kills it and its children. */
export class Running implements AsyncDisposable {
  stdout = '';
  stderr = '';
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;

  constructor(
    command: string,
    args: readonly string[],
    env: Readonly<Record<string, string | undefined>>,
    cwd = ROOT_DIR,
    /** What it reads on stdin. */
    input?: string,
  ) {
    // A group of its own: a script's children hold its pipes, so they must end with it.
    const stdin = input === undefined ? 'ignore' : 'pipe';
    this.#child = spawn(command, args, { cwd, env, stdio: [stdin, 'pipe', 'pipe'], detached: true });
    this.#child.stdin?.end(input);
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.#closed = once(this.#child, 'close');
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Stops reading what it prints, as `head` does when it has enough. */
  closeStdout(): void {
    this.#child.stdout?.destroy();
  }

  async finished(): Promise<Finished> {
    await this.#closed;
    return { code: this.#child.exitCode, stdout: this.stdout, stderr: this.stderr };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    killGroup(this.#child.pid);
    await this.#closed;
  }
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** The environment of a test's processes: nothing of ours but PATH and HOME, so that no variable of the machine counts. */
export function bareEnvironment(env: Readonly<Record<string, string>> = {}): Record<string, string | undefined> {
  return { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env };
}

/** Starts the built `muster`, as a user would. */
export function startCli(args: readonly string[], env: Readonly<Record<string, string>>, input?: string): Running {
  if (!existsSync(join(ROOT_DIR, 'packages/cli/dist/main.js'))) {
    throw new Error('this test runs the built muster: run npm run build first');
  }
  return new Running(process.execPath, [BIN, ...args], bareEnvironment(env), ROOT_DIR, input);
}

export async function runCli(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  input?: string,
): Promise<Finished> {
  await using running = startCli(args, env, input);
  return await running.finished();
}
