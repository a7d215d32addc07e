import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { eventually } from './eventually.ts';

export interface FixtureOptions {
  readonly cwd?: string;
  /** Added to the environment of the test. */
  readonly env?: Readonly<Record<string, string>>;
  readonly detached?: boolean;
}

/** How a fixture ended. */
export interface FixtureExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A real child process whose output a test reads line by line. Disposing kills it. */
export interface FixtureProcess extends AsyncDisposable {
  readonly pid: number;
  readonly child: ChildProcess;
  /** All lines so far, of stdout and stderr together. */
  readonly lines: readonly string[];
  /** Settles once, and never rejects. What it printed last may still be on its way. */
  readonly exited: Promise<FixtureExit>;
  /** The same once all that it printed is in `lines`, also by whom it has lent its output to. */
  readonly finished: Promise<FixtureExit>;
  /** The first line that matches, also one already printed. @throws when the process ends, or the time is over, without it. */
  line(pattern: RegExp | string, timeoutMs?: number): Promise<string>;
  /** Sends the signal and waits for the end. */
  kill(signal?: NodeJS.Signals): Promise<FixtureExit>;
}

/** Starts `command`; rejects when it can't be started. */
export async function startFixture(
  command: string,
  args: readonly string[] = [],
  options: FixtureOptions = {},
): Promise<FixtureProcess> {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...fixtureEnvironment(), ...options.env },
    detached: options.detached ?? false,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => lines.push(line));
  }
  // A fixture that is killed while the test writes to it is no error of the test.
  child.stdin.on('error', () => {});
  const exited = new Promise<FixtureExit>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  // The kernel tells of the end and of the last output in no order.
  const finished = new Promise<FixtureExit>((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
  await once(child, 'spawn');
  const pid = child.pid as number;

  async function kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<FixtureExit> {
    child.kill(signal);
    return exited;
  }

  return {
    pid,
    child,
    lines,
    exited,
    finished,
    kill,
    async line(pattern, timeoutMs) {
      let hasFinished = false;
      void finished.then(() => {
        hasFinished = true;
      });
      const find = () =>
        lines.find((line) => (typeof pattern === 'string' ? line.includes(pattern) : pattern.test(line)));
      const found = await eventually(() => find() ?? (hasFinished ? 'exited' : undefined), {
        message: `a line with ${String(pattern)} from '${command} ${args.join(' ')}'`,
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
      });
      const line = find();
      if (line === undefined) {
        throw new Error(
          `'${command} ${args.join(' ')}' ${found} without a line ${String(pattern)}: ${lines.join('\n')}`,
        );
      }
      return line;
    },
    async [Symbol.asyncDispose]() {
      await kill();
    },
  };
}

/** A Node script; TypeScript sources of the workspace are found without a build. */
export function startNodeFixture(
  script: string,
  args: readonly string[] = [],
  options: FixtureOptions = {},
): Promise<FixtureProcess> {
  return startFixture(process.execPath, [script, ...args], options);
}

/** A POSIX shell script, given as text. */
export function startShellFixture(
  script: string,
  args: readonly string[] = [],
  options: FixtureOptions = {},
): Promise<FixtureProcess> {
  return startFixture('/bin/sh', ['-c', script, 'fixture', ...args], options);
}

/** The test's environment without what makes each Node child slow to start. */
export function fixtureEnvironment(): NodeJS.ProcessEnv {
  const { NODE_EXTRA_CA_CERTS: _slow, ...env } = process.env;
  return env;
}
