/**
 * The output writer: one small process per agent that brings what services print into their log files. It outlives the
 * agent, so that nobody waits for one, and the next agent goes on with it. It ends once there is neither an agent nor anything
 * to read.
 *
 * Its folder is the runtime folder.
 */
import { readdirSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import path from 'node:path';
import { isCode, readBootId, readStat } from '../drivers/process/proc.ts';
import { readRuns } from '../drivers/process/run-folder.ts';
import { StreamDrain, tellDrained } from './drain.ts';
import { InFlight } from './in-flight.ts';
import { LogWriter } from './log-writer.ts';
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

/** How long it waits for the agent that started it. */
const ALONE_MS = 10_000;
/** When it looks whether a run had ended before it was to be drained. */
const FIRST_LOOK_MS = 1_000;
/** Between two tries to open what is there. */
const RETRY_MS = 1_000;

interface RunDrain {
  readonly order: DrainOrder;
  readonly streams: StreamDrain[];
  open: number;
}

class OutputWriter {
  readonly #folder = process.cwd();
  readonly #inFlight = new InFlight(this.#folder);
  readonly #runs = new Map<string, RunDrain>();
  readonly #logs = new Map<string, { readonly log: LogWriter; users: number }>();
  readonly #agents = new Set<Socket>();

  listen(): void {
    const server = createServer((agent) => this.#meet(agent));
    // Another one is here already.
    server.on('error', () => process.exit(1));
    server.listen(SOCKET, () => {
      const { startTimeTicks } = readStat(process.pid) ?? { startTimeTicks: 0 };
      writeFileSync(IDENTITY, `${process.pid} ${startTimeTicks}`, { mode: 0o600 });
      this.#countLost();
      this.#resume();
      setTimeout(() => this.#endIfIdle(), ALONE_MS).unref();
    });
  }

  /** Of the writer before, if it was killed. */
  #countLost(): void {
    const lost = this.#inFlight.lost();
    if (lost === undefined) return;
    using log = new LogWriter(lost.logFile, this.#folder);
    log.lose(lost.bytes, 'the output writer was killed', !lost.isExact);
  }

  /** What is on record of runs is enough: whoever started this writer may be dead already. */
  #resume(): void {
    for (const name of readdirSync(this.#folder)) {
      for (const { folder, record } of readRuns(path.join(this.#folder, name), readBootId())) {
        const { generation, logFiles, main } = record;
        if (generation === undefined || logFiles === undefined || main === undefined) continue;
        this.#drain({ do: 'drain', folder: folder.path, generation, logFiles });
      }
    }
  }

  #meet(agent: Socket): void {
    this.#agents.add(agent);
    agent.setEncoding('utf8');
    agent.on(
      'data',
      lineReader((order) => this.#obey(order as Order, agent)),
    );
    agent.on('error', () => {});
    agent.on('close', () => {
      this.#agents.delete(agent);
      this.#endIfIdle();
    });
    tell(agent, { is: 'hello', protocol: PROTOCOL });
  }

  #obey(order: Order, agent: Socket): void {
    switch (order.do) {
      case 'drain':
        this.#drain(order);
        return;
      case 'ping':
        tell(agent, { is: 'pong' });
        return;
      case 'flush':
        for (const { streams } of this.#runs.values()) for (const stream of streams) stream.flush();
        tell(agent, { is: 'flushed', id: order.id });
    }
  }

  #drain(order: DrainOrder): void {
    if (this.#runs.has(order.folder)) return;
    const run: RunDrain = { order, streams: [], open: 2 };
    this.#runs.set(order.folder, run);
    const logs = { stdout: this.#use(order.logFiles.stdout), stderr: this.#use(order.logFiles.stderr) };
    for (const stream of ['stdout', 'stderr'] as const)
      this.#drainStream(run, path.join(order.folder, stream), logs[stream]);
  }

  #drainStream(run: RunDrain, fifo: string, log: LogWriter): void {
    try {
      const onEnd = () => this.#streamEnded(run);
      const stream = new StreamDrain(fifo, log, run.order.generation, this.#inFlight, onEnd);
      run.streams.push(stream);
      // Not at once: it would keep a start waiting.
      setTimeout(() => stream.flush(), FIRST_LOOK_MS).unref();
    } catch (error) {
      // Gone, with all that was in it. Anything else passes, as a lack of descriptors does, and the run waits meanwhile.
      if (isGone(error)) this.#streamEnded(run);
      else setTimeout(() => this.#drainStream(run, fifo, log), RETRY_MS);
    }
  }

  #streamEnded(run: RunDrain): void {
    run.open -= 1;
    if (run.open > 0) return;
    const { folder, logFiles } = run.order;
    this.#runs.delete(folder);
    for (const file of [logFiles.stdout, logFiles.stderr]) this.#leave(file);
    tellDrained(folder);
    for (const agent of this.#agents) tell(agent, { is: 'drained', folder });
    this.#endIfIdle();
  }

  #use(file: string): LogWriter {
    const used = this.#logs.get(file) ?? { log: new LogWriter(file, this.#folder), users: 0 };
    used.users += 1;
    this.#logs.set(file, used);
    return used.log;
  }

  #leave(file: string): void {
    const used = this.#logs.get(file);
    if (used === undefined) return;
    used.users -= 1;
    if (used.users > 0) return;
    this.#logs.delete(file);
    used.log[Symbol.dispose]();
  }

  #endIfIdle(): void {
    if (this.#agents.size === 0 && this.#runs.size === 0) process.exit(0);
  }
}

function isGone(error: unknown): boolean {
  return isCode(error, 'ENOENT') || isCode(error, 'ENOTDIR');
}

function tell(agent: Socket, report: Report): void {
  agent.write(toLine(report));
}

export function runOutputWriter(): void {
  process.umask(0o077);
  for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});
  new OutputWriter().listen();
}
