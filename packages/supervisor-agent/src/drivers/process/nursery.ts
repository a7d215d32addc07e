import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import type { RunSpec } from '../driver.ts';
import { DEFAULT_PATH } from './preflight.ts';
import type { RunFolder } from './run-folder.ts';
import { writeScripts } from './script.ts';
import { KILLED, Shim } from './shim.ts';
import { formatTag } from './tag.ts';

/** How many shims have one parent at most: that many lose the exits of their services when somebody kills their group. */
const MAX_SHIMS = 50;

/** Starts shims. Those asked for within one turn of the event loop cost one fork of the agent (script.ts). */
export class Nursery {
  readonly #runtimeFolder: string;
  #unborn: Shim[] = [];

  constructor(runtimeFolder: string) {
    this.#runtimeFolder = runtimeFolder;
  }

  /** The caller owns `folder`. */
  open(spec: RunSpec, folder: RunFolder): Shim {
    const shim = new Shim(spec, folder);
    if (this.#unborn.push(shim) === 1) setImmediate(() => this.#bear());
    return shim;
  }

  #bear(): void {
    const unborn = this.#unborn;
    this.#unborn = [];
    for (let from = 0; from < unborn.length; from += MAX_SHIMS) {
      const shims = unborn.slice(from, from + MAX_SHIMS);
      try {
        watchOver(this.#spawn(shims), shims);
      } catch (error) {
        for (const shim of shims) shim.lost((error as Error).message);
      }
    }
  }

  #spawn(shims: readonly Shim[]): ChildProcess {
    const { nursery, shim, launcher } = writeScripts(this.#runtimeFolder);
    const runs = shims.flatMap(({ folder, spec }) => [folder.path, formatTag(spec)]);
    return spawn('/bin/sh', [nursery, shim, launcher, ...runs], {
      cwd: '/',
      detached: true,
      env: { PATH: DEFAULT_PATH },
      stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    });
  }
}

function watchOver(child: ChildProcess, shims: readonly Shim[]): void {
  // Absent when there was no process to start: 'error' says why.
  const socket = child.stdio[3] as Socket | undefined;
  // EPIPE from a nursery that is gone already: its 'exit' tells the same.
  socket?.on('error', () => {});
  socket?.once('data', () => {
    for (const shim of shims) shim.born();
    socket.end('\n');
  });
  const lost = (reason: string) => {
    for (const shim of shims) shim.lost(reason);
  };
  child.once('exit', (code, signal) => lost(signal === null ? `its shim ended early (exit code ${code})` : KILLED));
  child.once('error', (error) => lost(error.message));
  socket?.unref();
  child.unref();
}
