/*
 * One run's output on its way from its two FIFOs into its log files.
 *
 * A stream is told only that there is something to read, and reads it itself: what it is about to take must be on record
 * before. So Node's socket is given no room: libuv then asks again each time, and takes nothing (UV_ENOBUFS in its manual).
 */
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import path from 'node:path';
import { type InFlight, type InFlightRecord, inFlightRecordOf, READ_BYTES } from './in-flight.ts';
import type { LogWriter } from './log-writer.ts';

/** One for all: what is in it is written before anything else is read. */
const buffer = Buffer.allocUnsafe(READ_BYTES);

/** What a FIFO can hold at most; 64 KiB unless a program asks for more. Who prints without a pause is not waited for. */
const MAX_FIFO_BYTES = 1024 * 1024;

const { O_RDONLY, O_WRONLY, O_NONBLOCK } = constants;

/** One FIFO. `onEnd`: nobody can write into it any more, and it is empty. */
export class StreamDrain implements Disposable {
  readonly log: LogWriter;
  readonly #generation: number;
  readonly #inFlight: InFlight;
  readonly #record: InFlightRecord;
  readonly #descriptor: number;
  readonly #socket: Socket;
  readonly #onEnd: () => void;
  #hasEnded = false;

  /** @throws when the FIFO can't be opened */
  constructor(fifo: string, log: LogWriter, generation: number, inFlight: InFlight, onEnd: () => void) {
    this.log = log;
    this.#generation = generation;
    this.#inFlight = inFlight;
    this.#record = inFlightRecordOf(log.file);
    this.#onEnd = onEnd;
    this.#descriptor = openSync(fifo, O_RDONLY | O_NONBLOCK);
    log.make();
    this.#socket = notify(this.#descriptor, () => void this.#read());
  }

  /**
   * Reads what is there. To be called once after a while: of a FIFO that nobody could write into any more when it was opened the
   * kernel announces no end.
   */
  flush(): void {
    let bytes = 0;
    for (let count = this.#read(); count > 0 && bytes < MAX_FIFO_BYTES; count = this.#read()) bytes += count;
  }

  [Symbol.dispose](): void {
    this.#hasEnded = true;
    this.#socket.destroy();
  }

  /** How many bytes. */
  #read(): number {
    if (this.#hasEnded) return 0;
    const size = this.log.prepare(this.#generation);
    this.#inFlight.reading(this.#record, size);
    const count = readNow(this.#descriptor);
    this.#inFlight.read(this.#record, count ?? 0);
    if (count === undefined) return 0;
    if (count > 0) {
      this.log.append(buffer.subarray(0, count), this.#generation);
      this.#inFlight.dealtWith(this.#record);
    } else this.#end();
    return count;
  }

  #end(): void {
    this[Symbol.dispose]();
    this.#onEnd();
  }
}

/** Tells the run's shim, which keeps its FIFOs until then. */
export function tellDrained(folder: string): void {
  try {
    const descriptor = openSync(path.join(folder, 'drained'), O_WRONLY | O_NONBLOCK);
    writeSync(descriptor, '\n');
    closeSync(descriptor);
  } catch {
    // The shim, or all of the run, is gone.
  }
}

/** `undefined`: there is nothing to read now. */
function readNow(descriptor: number): number | undefined {
  try {
    return readSync(descriptor, buffer);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return undefined;
    throw error;
  }
}

function notify(descriptor: number, onReadable: () => void): Socket {
  const onread = { buffer: Buffer.alloc(0), callback: () => true };
  const socket = new Socket({ fd: descriptor, readable: true, writable: false, onread } as never);
  // A socket would end with an error each time it is asked and has no room.
  const { _handle: handle } = socket as unknown as { _handle: { onread: () => void } };
  handle.onread = onReadable;
  return socket;
}
