/**
 * PM2, the peer. It is not a dependency of Muster: npm puts it into `.muster/bench` at the first run. Each daemon has a
 * `PM2_HOME` of its own, so one that a user may run stays untouched.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { killIfAlive } from '@muster/testkit';
import type { FirstLines } from './first-lines.ts';
import { Home } from './home.ts';
import { run } from './run.ts';

export const PM2_VERSION = '7.0.4';

/** The path of a peer's program, or why there is none. */
export type PeerProgram =
  | { readonly kind: 'found'; readonly file: string }
  | { readonly kind: 'missing'; readonly reason: string };

/** Installs it when it is not there yet. */
export async function findPm2(rootDir: string, signal: AbortSignal): Promise<PeerProgram> {
  const directory = path.join(rootDir, '.muster', 'bench', 'pm2');
  const file = path.join(directory, 'node_modules', 'pm2', 'bin', 'pm2');
  if (installedVersion(directory) === PM2_VERSION) return { kind: 'found', file };
  mkdirSync(directory, { recursive: true });
  writeFileSync(path.join(directory, 'package.json'), '{ "private": true }\n');
  const install = ['install', '--no-audit', '--no-fund', '--save-exact', `pm2@${PM2_VERSION}`];
  try {
    await run('npm', install, { cwd: directory, signal });
    return { kind: 'found', file };
  } catch (error) {
    signal.throwIfAborted();
    return { kind: 'missing', reason: `PM2 can't be installed: ${(error as Error).message}` };
  }
}

function installedVersion(directory: string): string | undefined {
  try {
    const manifest = readFileSync(path.join(directory, 'node_modules', 'pm2', 'package.json'), 'utf8');
    return (JSON.parse(manifest) as { version: string }).version;
  } catch {
    return undefined;
  }
}

/** One PM2 daemon with services that report to `lines`. Disposing kills it with everything it started. */
export class Pm2 implements AsyncDisposable {
  readonly names: readonly string[];
  readonly #home = new Home('pm2');
  readonly #program: string;
  readonly #ecosystem: string;
  readonly #signal: AbortSignal;

  private constructor(program: string, services: number, signal: AbortSignal) {
    this.#program = program;
    this.#signal = signal;
    this.names = Array.from({ length: services }, (_, index) => `peer-${index}`);
    this.#ecosystem = path.join(this.#home.path, 'ecosystem.json');
    writeFileSync(this.#ecosystem, JSON.stringify({ apps: this.names.map((name) => appOf(name, this.lines)) }));
  }

  /** Nothing runs yet. `undefined` where there is no PM2. */
  static prepare(program: PeerProgram, services: number, signal: AbortSignal): Pm2 | undefined {
    return program.kind === 'found' ? new Pm2(program.file, services, signal) : undefined;
  }

  get lines(): FirstLines {
    return this.#home.lines;
  }

  get daemonPid(): number {
    return Number(readFileSync(path.join(this.#home.path, 'pm2.pid'), 'utf8'));
  }

  /** `pm2 start` of all services, with the daemon when none runs: from the command's exec until it has ended and all have spoken, in ms. */
  async start(): Promise<number> {
    const startedAtMs = performance.now();
    const spoken = this.lines.nextOfAll(this.names, this.#signal);
    await Promise.all([this.#run('start', this.#ecosystem), spoken]);
    return performance.now() - startedAtMs;
  }

  /** Stops and forgets all services; the daemon stays. */
  async deleteAll(): Promise<void> {
    await this.#run('delete', 'all');
  }

  async killDaemon(): Promise<void> {
    await this.#run('kill');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const pid = this.#daemonPidIfAny();
    if (pid !== undefined) killIfAlive(pid);
    await this.#home[Symbol.asyncDispose]();
  }

  #daemonPidIfAny(): number | undefined {
    try {
      return this.daemonPid;
    } catch {
      return undefined;
    }
  }

  async #run(...args: readonly string[]): Promise<void> {
    const env = { PM2_HOME: this.#home.path, PM2_DISABLE_VERSION_CHECK: 'true' };
    await run(process.execPath, [this.#program, ...args], { cwd: this.#home.path, env, signal: this.#signal });
  }
}

/** Restarted at once and without end, and without the extras that would slow PM2 down. */
function appOf(name: string, lines: FirstLines): Record<string, unknown> {
  const [interpreter, script, ...args] = lines.command(name);
  const restarts = { autorestart: true, restart_delay: 0, min_uptime: 0, max_restarts: 100_000 };
  return { name, interpreter, script, args, exec_mode: 'fork', vizion: false, pmx: false, ...restarts };
}
