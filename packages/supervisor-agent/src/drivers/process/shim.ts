import { type ChildProcess, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { monotonicNowMs } from '../../host/clock.ts';
import type { RunSpec } from '../driver.ts';
import { DEFAULT_PATH } from './preflight.ts';
import { isAlive, type ProcessIdentity, signalProcess } from './proc.ts';
import { type RunFolder, readRunRecord } from './run-folder.ts';
import { RunRecordWatch } from './run-record-watch.ts';
import type { Scripts } from './script.ts';
import { formatTag, SHIM_TAG } from './tag.ts';

/** A shim is ready in 5 ms; on a host that swaps it may take seconds. */
const READY_TIMEOUT_MS = 20_000;
/** A launcher that is let go of ends within milliseconds. */
const DISCARD_PATIENCE_MS = 5_000;

export type Readiness =
  | { readonly isReady: true; readonly main: ProcessIdentity }
  | { readonly isReady: false; readonly reason: string };

/** A shim with its launcher, waiting for the go. Ends by itself when the agent dies or lets go of it. */
export class Shim {
  readonly spec: RunSpec;
  readonly folder: RunFolder;
  /** Settles when the launcher's pid and start time are on record; never rejects. */
  readonly ready: Promise<Readiness>;
  /** Settles when the shim process has ended. */
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;
  /** The agent's end. `null` when there was no process to start: 'error' says why. */
  readonly #socket: Writable | null;
  readonly #watch: RunRecordWatch;
  #hasEnded = false;

  /** The caller owns `folder`. */
  constructor(spec: RunSpec, folder: RunFolder, scripts: Scripts) {
    this.spec = spec;
    this.folder = folder;
    let resolve: (readiness: Readiness) => void = () => {};
    this.ready = new Promise((settle) => {
      resolve = settle;
    });
    const look = () => {
      const { main } = readRunRecord(folder);
      if (main !== undefined) resolve({ isReady: true, main });
    };
    this.#child = spawnShim(spec, folder, scripts);
    this.#watch = new RunRecordWatch(folder.journal, look);
    const timeout = setTimeout(
      () => resolve({ isReady: false, reason: `its shim was not ready after ${READY_TIMEOUT_MS} ms` }),
      READY_TIMEOUT_MS,
    );
    void this.ready.then(() => clearTimeout(timeout));
    this.#socket = this.#child.stdin;
    // EPIPE from a shim that is gone already: its 'exit' tells the same.
    this.#socket?.on('error', () => {});
    this.ended = new Promise((settle) => {
      const end = (reason: string) => {
        this.#hasEnded = true;
        resolve({ isReady: false, reason });
        settle();
      };
      this.#child.once('exit', (code, signal) => end(`its shim ended early (${signal ?? `exit code ${code}`})`));
      this.#child.once('error', (error) => end(error.message));
    });
    this.#child.unref();
  }

  /** False once shim or launcher died: such a shim must not be let go. */
  isWaiting(main: ProcessIdentity): boolean {
    return !this.#hasEnded && isAlive(main);
  }

  /** Lets the service go; from here on it does not need the agent. Returns when that was (CLOCK_MONOTONIC). */
  go(): { readonly startedAtMs: number; readonly watch: RunRecordWatch } {
    const startedAtMs = monotonicNowMs();
    this.#socket?.end(`go ${startedAtMs}\n`);
    return { startedAtMs, watch: this.#watch };
  }

  /** Ends shim and launcher, which never became a service, and removes their folder. */
  async discard(): Promise<void> {
    this.#watch[Symbol.dispose]();
    this.#socket?.destroy();
    const impatience = setTimeout(() => this.#kill(), DISCARD_PATIENCE_MS).unref();
    await this.ended;
    clearTimeout(impatience);
    rmSync(this.folder.path, { recursive: true, force: true });
  }

  /** For a launcher that can't read the end of its socket because somebody stopped it. */
  #kill(): void {
    const { main } = readRunRecord(this.folder);
    if (main !== undefined) signalProcess(main, 'SIGKILL');
    this.#child.kill('SIGKILL');
  }
}

function spawnShim(spec: RunSpec, folder: RunFolder, scripts: Scripts): ChildProcess {
  return spawn('/bin/sh', [scripts.shim, folder.path, scripts.launcher], {
    cwd: '/',
    detached: true,
    env: { PATH: DEFAULT_PATH, [SHIM_TAG]: formatTag(spec) },
    stdio: ['pipe', 'ignore', 'ignore'],
  });
}
