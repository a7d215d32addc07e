import { statfsSync } from 'node:fs';

const INTERVAL_MS = 10_000;
/** Less than this is full: the next line may not fit. */
const FULL_BYTES = 1024 * 1024;

/**
 * Looks whether the disk of the logs has room. Services write their logs themselves, so nobody but them sees a write fail,
 * and few look.
 */
export class DiskWatch implements Disposable {
  readonly #directory: string;
  readonly #onChange: (isFull: boolean) => void;
  readonly #timer: NodeJS.Timeout;
  #isFull = false;

  /** `onChange` is told when it gets full, and when there is room again. */
  constructor(directory: string, onChange: (isFull: boolean) => void) {
    this.#directory = directory;
    this.#onChange = onChange;
    this.#timer = setInterval(() => this.#look(), INTERVAL_MS);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    let freeBytes: number;
    try {
      const { bavail, bsize } = statfsSync(this.#directory);
      freeBytes = bavail * bsize;
    } catch {
      return; // No directory yet, or a file system that does not say.
    }
    const isFull = freeBytes < FULL_BYTES;
    if (isFull === this.#isFull) return;
    this.#isFull = isFull;
    this.#onChange(isFull);
  }
}
