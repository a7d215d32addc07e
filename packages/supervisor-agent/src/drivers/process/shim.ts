import { chmodSync, closeSync, constants, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { monotonicNowMs } from '../../host/clock.ts';
import type { RunSpec } from '../driver.ts';
import { isAlive, type ProcessIdentity, signalProcess } from './proc.ts';
import { type RunFolder, readRunRecord } from './run-folder.ts';
import { RunRecordWatch } from './run-record-watch.ts';

/** A shim is ready in 5 ms; on a host that swaps it may take seconds. */
const READY_TIMEOUT_MS = 20_000;
/** An abandoned starter ends within milliseconds. */
const DISCARD_PATIENCE_MS = 5_000;

export const KILLED = 'its shim was killed';

export interface Ready {
  readonly isReady: true;
  readonly main: ProcessIdentity;
  readonly shim: ProcessIdentity;
}
export type Readiness = Ready | { readonly isReady: false; readonly reason: string };

/** A shim with its starter, waiting for the go. Ends by itself when the agent dies or abandons it. */
export class Shim {
  readonly spec: RunSpec;
  readonly folder: RunFolder;
  /** Settles when shim and starter are on record; never rejects. */
  readonly ready: Promise<Readiness>;
  readonly #watch: RunRecordWatch;
  readonly #hasEnded: Promise<void>;
  #settle: (readiness: Readiness) => void = () => {};
  #end: () => void = () => {};
  #ready: Ready | undefined;
  /** The agent's end of the FIFO: while it is open, the starter waits. */
  #go: number | undefined;
  #isDecided = false;

  /** The process is made by the spawner. */
  constructor(spec: RunSpec, folder: RunFolder) {
    this.spec = spec;
    this.folder = folder;
    this.ready = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#hasEnded = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#watch = new RunRecordWatch(folder.journal, (hasGrown) => this.#look(hasGrown));
    const timeout = setTimeout(
      () => this.#settle({ isReady: false, reason: `its shim was not ready after ${READY_TIMEOUT_MS} ms` }),
      READY_TIMEOUT_MS,
    );
    void this.ready.then(() => clearTimeout(timeout));
  }

  /** Its FIFOs are there, and its starter is about to open them. */
  open(): void {
    if (this.#isDecided) return;
    try {
      // A service may run as another user, and may open /dev/stdout by its path. The folder keeps everybody else out.
      for (const stream of ['stdout', 'stderr']) chmodSync(join(this.folder.path, stream), 0o666);
      // For reading too: then there need not be a reader yet.
      this.#go = openSync(this.folder.go, constants.O_RDWR | constants.O_NONBLOCK);
    } catch (error) {
      this.#settle({ isReady: false, reason: (error as Error).message });
    }
  }

  /** The process that forked it has ended. A shim that is on record and lives was only orphaned. */
  spawnerEnded(reason: string): void {
    const { shim } = readRunRecord(this.folder);
    if (shim === undefined) this.#fail(reason);
    else if (!isAlive(shim)) this.#fail(KILLED);
  }

  /** False once shim or starter died: such a shim must not get its go. */
  isWaiting(): boolean {
    return this.#ready !== undefined && isAlive(this.#ready.shim) && isAlive(this.#ready.main);
  }

  /** Lets the service go; from here on it does not need the agent. Returns when that was (CLOCK_MONOTONIC). */
  go(): { readonly startedAtMs: number; readonly watch: RunRecordWatch } {
    const startedAtMs = monotonicNowMs();
    if (this.#go !== undefined) writeSync(this.#go, `go ${startedAtMs}\n`);
    this.#closeGo();
    return { startedAtMs, watch: this.#watch };
  }

  /** Ends shim and starter, which never became a service, and removes their folder. */
  async discard(): Promise<void> {
    this.#closeGo();
    const impatience = setTimeout(() => this.#kill(), DISCARD_PATIENCE_MS).unref();
    await this.#hasEnded;
    clearTimeout(impatience);
    this.#watch[Symbol.dispose]();
    rmSync(this.folder.path, { recursive: true, force: true });
  }

  #look(hasGrown: boolean): void {
    const { shim, main, exitStatus } = readRunRecord(this.folder);
    if (exitStatus !== undefined) return this.#fail(`its starter ended early (exit code ${exitStatus})`);
    if (shim === undefined) return;
    if (this.#ready === undefined && main !== undefined) {
      this.#ready = { isReady: true, main, shim };
      this.#settle(this.#ready);
    }
    if (!hasGrown && !isAlive(shim)) this.#fail(KILLED);
  }

  #fail(reason: string): void {
    this.#settle({ isReady: false, reason });
    this.#end();
  }

  #closeGo(): void {
    this.#isDecided = true;
    if (this.#go !== undefined) closeSync(this.#go);
    this.#go = undefined;
  }

  /** For a starter that can't read the end of its FIFO because somebody stopped it. */
  #kill(): void {
    const { shim, main } = readRunRecord(this.folder);
    if (main !== undefined) signalProcess(main, 'SIGKILL');
    if (shim !== undefined) signalProcess(shim, 'SIGKILL');
    this.#end();
  }
}
