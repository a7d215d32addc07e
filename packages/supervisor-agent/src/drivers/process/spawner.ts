import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import type { RunSpec } from '../driver.ts';
import { DEFAULT_PATH } from './preflight.ts';
import type { RunFolder } from './run-folder.ts';
import { writeScripts } from './script.ts';
import { KILLED, Shim } from './shim.ts';
import { formatTag } from './tag.ts';

/** Shims of one parent: their services lose their exit codes together when somebody kills that whole process group. */
const MAX_SHIMS = 50;

/** Starts shims. All that are asked for within one turn of the event loop cost one fork of the agent (script.ts). */
export class Spawner {
  readonly #runtimeFolder: string;
  #asked: Shim[] = [];

  constructor(runtimeFolder: string) {
    this.#runtimeFolder = runtimeFolder;
  }

  /** The caller owns `folder`. */
  spawn(spec: RunSpec, folder: RunFolder): Shim {
    const shim = new Shim(spec, folder);
    if (this.#asked.push(shim) === 1) setImmediate(() => this.#spawnAll());
    return shim;
  }

  #spawnAll(): void {
    const asked = this.#asked;
    this.#asked = [];
    for (let first = 0; first < asked.length; first += MAX_SHIMS) {
      const shims = asked.slice(first, first + MAX_SHIMS);
      try {
        this.#fork(shims);
      } catch (error) {
        for (const shim of shims) shim.spawnerEnded((error as Error).message);
      }
    }
  }

  #fork(shims: readonly Shim[]): void {
    const scripts = writeScripts(this.#runtimeFolder);
    const runs = shims.flatMap(({ folder, spec }) => [folder.path, formatTag(spec)]);
    const child = spawn('/bin/sh', [scripts.spawner, scripts.shim, scripts.starter, ...runs], {
      cwd: '/',
      detached: true,
      env: { PATH: DEFAULT_PATH },
      stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    });
    // Absent when there was no process to start: 'error' says why.
    const socket = child.stdio[3] as Socket | undefined;
    // EPIPE from a spawner that is gone already: its 'exit' tells the same.
    socket?.on('error', () => {});
    socket?.once('data', () => {
      for (const shim of shims) shim.open();
      socket.end('\n');
    });
    const tell = (reason: string) => {
      for (const shim of shims) shim.spawnerEnded(reason);
    };
    child.once('exit', (code, signal) => tell(signal === null ? `its shim ended early (exit code ${code})` : KILLED));
    child.once('error', (error) => tell(error.message));
    socket?.unref();
    child.unref();
  }
}
