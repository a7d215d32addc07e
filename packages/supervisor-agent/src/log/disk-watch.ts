import path from 'node:path';
import { freeBytes } from '../host/free-bytes.ts';
import { RESERVE_BYTES } from '../state/state-reserve.ts';

const INTERVAL_MS = 10_000;
/** Less than this is full: the next lines may not fit, and what a start has spent of its reserve is no room. */
const FULL_BYTES = 2 * RESERVE_BYTES;

/**
 * Looks whether the disk of the logs has room. The output writer drops what does not fit, and its services never hear of it.
 */
export class DiskWatch implements Disposable {
  readonly #directory: string;
  readonly #onChange: (isFull: boolean) => void;
  readonly #firstLook: NodeJS.Immediate;
  readonly #timer: NodeJS.Timeout;
  #isFull = false;

  /** `onChange` is told when it gets full, and when there is room again. */
  constructor(directory: string, onChange: (isFull: boolean) => void) {
    this.#directory = directory;
    this.#onChange = onChange;
    this.#firstLook = setImmediate(() => this.#look());
    this.#timer = setInterval(() => this.#look(), INTERVAL_MS);
  }

  [Symbol.dispose](): void {
    clearImmediate(this.#firstLook);
    clearInterval(this.#timer);
  }

  #look(): void {
    // Before the first line there is no folder yet.
    const free = freeBytes(this.#directory) ?? freeBytes(path.dirname(this.#directory));
    if (free === undefined) return;
    const isFull = free < FULL_BYTES;
    if (isFull === this.#isFull) return;
    this.#isFull = isFull;
    this.#onChange(isFull);
  }
}
