/**
 * The moment at which a service says its first words, measured alike for every supervisor: each run writes one line into a
 * FIFO that the benchmark reads, so neither log files nor a second clock are involved.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { within } from './wait-until.ts';

export interface FirstLine {
  readonly name: string;
  readonly pid: number;
  /** When the line was here, of `performance.now()`. */
  readonly atMs: number;
}

/** `exec`: the process that spoke is the one that goes on, under the same pid. */
const SLEEP = 'exec sleep 1000000';

export class FirstLines implements Disposable {
  readonly #fifo: string;
  readonly #script: string;
  readonly #socket: Socket;
  readonly #last = new Map<string, FirstLine>();
  readonly #waiting = new Map<string, (line: FirstLine) => void>();
  #count = 0;

  /** Makes the FIFO, and the script of the services, in `directory`. `body`: what they do once they have spoken, in sh. */
  constructor(directory: string, body: string = SLEEP) {
    this.#fifo = path.join(directory, 'first-lines');
    this.#script = path.join(directory, 'service.sh');
    writeFileSync(this.#script, `echo "$1 $$" > "$2"\n${body}\n`);
    execFileSync('/bin/sh', ['-c', 'mkfifo "$0"', this.#fifo]);
    // Also open for writing: then a service never waits for a reader, and the reader never sees an end.
    const descriptor = openSync(this.#fifo, constants.O_RDWR | constants.O_NONBLOCK);
    this.#socket = new Socket({ fd: descriptor, readable: true, writable: false });
    this.#socket.on('error', () => closeSync(descriptor));
    createInterface({ input: this.#socket }).on('line', (text) => this.#take(text));
  }

  /** What to run so that `name` reports here. */
  command(name: string): readonly [interpreter: string, script: string, ...args: string[]] {
    return ['/bin/sh', this.#script, name, this.#fifo];
  }

  /** How many lines came so far. */
  get count(): number {
    return this.#count;
  }

  /** The last line of `name`. @throws Error when it has not spoken yet. */
  last(name: string): FirstLine {
    const line = this.#last.get(name);
    if (line === undefined) throw new Error(`'${name}' has not started yet`);
    return line;
  }

  /** The next line of `name` that comes from now on. */
  next(name: string, signal: AbortSignal): Promise<FirstLine> {
    const line = new Promise<FirstLine>((resolve) => this.#waiting.set(name, resolve));
    return within(line, { what: `a first line of '${name}'`, signal, timeoutMs: 30_000 });
  }

  /** The next line of each of them; settles with the last to come. */
  async nextOfAll(names: readonly string[], signal: AbortSignal): Promise<FirstLine> {
    const lines = await Promise.all(names.map((name) => this.next(name, signal)));
    return lines.reduce((latest, line) => (line.atMs > latest.atMs ? line : latest));
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #take(text: string): void {
    const atMs = performance.now();
    const [name = '', pid] = text.split(' ');
    const line = { name, pid: Number(pid), atMs };
    this.#count += 1;
    this.#last.set(name, line);
    const waiting = this.#waiting.get(name);
    this.#waiting.delete(name);
    waiting?.(line);
  }
}

/** SIGKILL to the service's main process → the first line of its successor, in ms. */
export async function killAndWait(lines: FirstLines, name: string, signal: AbortSignal): Promise<number> {
  const victim = lines.last(name);
  const successor = lines.next(name, signal);
  const killedAtMs = performance.now();
  process.kill(victim.pid, 'SIGKILL');
  return (await successor).atMs - killedAtMs;
}
