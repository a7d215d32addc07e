/**
 * The agent's side of the output writer: starts it where there is none, says which runs it is to drain, and replaces one
 * that has ended or hangs. What is printed meanwhile waits in its FIFO.
 */
import { spawn } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '@muster/contracts';
import { claimPrivateFolder } from '@muster/contracts/files';
import { abortable } from '../abortable.ts';
import { isAlive, type ProcessIdentity, signalProcess } from '../drivers/process/proc.ts';
import {
  type DrainOrder,
  IDENTITY,
  lineReader,
  type Order,
  PROTOCOL,
  type Report,
  SOCKET,
  toLine,
} from './protocol.ts';

export interface OutputOptions {
  readonly runtimeFolder: string;
  /** What Node is to run as the writer: its file and arguments. */
  readonly program: readonly string[];
  /** Told when what services print has to wait, and once it goes on (`undefined`). */
  readonly onProblem?: ((reason: string | undefined) => void) | undefined;
}

const PING_INTERVAL_MS = 1_000;
/** Counted in pings, not in time: an agent that was stopped itself must not blame the writer. */
const MAX_UNANSWERED = 5;
/** A new writer listens after some 50 ms; on a busy machine it takes longer. */
const CONNECT_POLL_MS = 10;
const START_TIMEOUT_MS = 20_000;
const RETRY_MS = 1_000;
/** Its heap is a few megabytes; without these it would grow to many times that before it is collected. */
const NODE_FLAGS = ['--max-semi-space-size=1', '--max-old-space-size=64', '--v8-pool-size=1'];

export class Output implements Disposable {
  readonly #options: OutputOptions;
  /** By folder: what a writer has not read to its end. */
  readonly #orders = new Map<
    string,
    { readonly order: DrainOrder; readonly done: Promise<void>; readonly settle: () => void }
  >();
  readonly #flushes = new Map<number, () => void>();
  readonly #closing = new AbortController();
  #writer: Socket | undefined;
  #isKept = false;
  #unanswered = 0;
  #lastFlush = 0;
  #hasProblem = false;

  constructor(options: OutputOptions) {
    this.#options = options;
  }

  /** Whatever becomes of the writer: all that this run prints gets into its files. */
  drain(folder: string, generation: number, logFiles: DrainOrder['logFiles']): void {
    if (this.#closing.signal.aborted || this.#orders.has(folder)) return;
    const order: DrainOrder = { do: 'drain', folder, generation, logFiles };
    let settle = () => {};
    const done = new Promise<void>((resolve) => {
      settle = resolve;
    });
    this.#orders.set(folder, { order, done, settle });
    this.#say(order);
    if (this.#isKept) return;
    this.#isKept = true;
    void this.#keep();
  }

  /** Settles when nothing is unread of the run in this folder, which may be removed then. */
  async drained(folder: string): Promise<void> {
    await this.#orders.get(folder)?.done;
  }

  /** Settles when all that was printed before is in the log files; rejects with the signal's reason. */
  async flush(signal: AbortSignal): Promise<void> {
    if (this.#orders.size === 0) return;
    this.#lastFlush += 1;
    const id = this.#lastFlush;
    const flushed = new Promise<void>((resolve) => this.#flushes.set(id, resolve));
    this.#say({ do: 'flush', id });
    await abortable(flushed, signal).finally(() => this.#flushes.delete(id));
  }

  /** Lets go: the writer goes on as long as there is something to read. */
  [Symbol.dispose](): void {
    this.#closing.abort();
    this.#writer?.destroy();
  }

  async #keep(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        const { ended } = await this.#meetWriter();
        this.#tell(undefined);
        await ended;
        if (!signal.aborted) this.#tell('its output writer has ended; another one is started');
      } catch (error) {
        if (signal.aborted) return;
        this.#tell(`its output writer cannot be started: ${messageOf(error)}`);
        await delay(RETRY_MS, undefined, { signal, ref: false }).catch(() => {});
      }
    }
  }

  /** Finds or starts it, and says all that there is to be done. */
  async #meetWriter(): Promise<{ readonly ended: Promise<void> }> {
    claimPrivateFolder(this.#options.runtimeFolder);
    const writer = (await this.#connect()) ?? (await this.#start());
    this.#unanswered = 0;
    writer.setEncoding('utf8');
    const ended = new Promise<void>((resolve) => writer.once('close', () => resolve()));
    const greeted = new Promise<void>((resolve) => {
      const read = lineReader((report) => this.#hear(report as Report, resolve));
      writer.on('data', read);
    });
    const ping = setInterval(() => this.#ping(writer), PING_INTERVAL_MS).unref();
    void ended.then(() => clearInterval(ping));
    const isGreeted = await Promise.race([greeted.then(() => true), ended.then(() => false)]);
    if (!isGreeted) throw new Error('it ended before it said a word');
    this.#writer = writer;
    for (const { order } of this.#orders.values()) this.#say(order);
    for (const id of this.#flushes.keys()) this.#say({ do: 'flush', id });
    return {
      ended: ended.finally(() => {
        this.#writer = undefined;
      }),
    };
  }

  #hear(report: Report, onHello: () => void): void {
    this.#unanswered = 0;
    switch (report.is) {
      case 'hello':
        // It holds nothing but what is on record: one that speaks otherwise is replaced like one that hangs.
        if (report.protocol === PROTOCOL) onHello();
        else void this.#kill();
        return;
      case 'flushed':
        this.#flushes.get(report.id)?.();
        return;
      case 'drained':
        this.#orders.get(report.folder)?.settle();
        this.#orders.delete(report.folder);
        return;
      case 'pong':
    }
  }

  #ping(writer: Socket): void {
    this.#unanswered += 1;
    writer.write(toLine({ do: 'ping' }));
    if (this.#unanswered <= MAX_UNANSWERED) return;
    this.#tell('its output writer does not answer; another one takes its place');
    // Its end is noticed like any other.
    void this.#kill();
  }

  async #start(): Promise<Socket> {
    const { runtimeFolder, program } = this.#options;
    const { signal } = this.#closing;
    // One that does not listen has nothing to read; it must not begin to now.
    await this.#kill();
    rmSync(path.join(runtimeFolder, SOCKET), { force: true });
    const child = spawn(process.execPath, [...NODE_FLAGS, ...program], {
      cwd: runtimeFolder,
      detached: true,
      env: { UV_THREADPOOL_SIZE: '1' },
      stdio: 'ignore',
    });
    child.unref();
    let hasFailed: string | undefined;
    child.once('error', (error) => {
      hasFailed = error.message;
    });
    child.once('exit', (code, by) => {
      hasFailed = `it ended at once (${by ?? `exit code ${code}`})`;
    });
    const startedAtMs = performance.now();
    for (;;) {
      await delay(CONNECT_POLL_MS, undefined, { signal, ref: false });
      const writer = await this.#connect();
      if (writer !== undefined) return writer;
      if (hasFailed !== undefined) throw new Error(hasFailed);
      if (performance.now() - startedAtMs > START_TIMEOUT_MS) throw new Error('it does not listen');
    }
  }

  /** `undefined`: nobody listens. */
  async #connect(): Promise<Socket | undefined> {
    // By its descriptor: the path of a socket has 107 bytes at most.
    const folder = openSync(this.#options.runtimeFolder, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      const socket = connect(`/proc/self/fd/${folder}/${SOCKET}`);
      socket.unref();
      return await new Promise<Socket | undefined>((resolve) => {
        socket.once('connect', () => resolve(socket));
        socket.on('error', () => resolve(undefined));
      });
    } finally {
      closeSync(folder);
    }
  }

  /** Settles once it is dead: two must not read the same. */
  async #kill(): Promise<void> {
    const identity = readIdentity(path.join(this.#options.runtimeFolder, IDENTITY));
    if (identity === undefined) return;
    for (; isAlive(identity); await delay(CONNECT_POLL_MS, undefined, { ref: false })) {
      signalProcess(identity, 'SIGKILL');
    }
  }

  #say(order: Order): void {
    this.#writer?.write(toLine(order));
  }

  #tell(reason: string | undefined): void {
    if (this.#hasProblem === (reason !== undefined)) return;
    this.#hasProblem = reason !== undefined;
    this.#options.onProblem?.(reason);
  }
}

function readIdentity(file: string): ProcessIdentity | undefined {
  try {
    const [pid, startTimeTicks] = readFileSync(file, 'utf8').split(' ').map(Number);
    return pid === undefined || startTimeTicks === undefined ? undefined : { pid, startTimeTicks };
  } catch {
    return undefined;
  }
}
