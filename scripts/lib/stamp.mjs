import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * A file that remembers for which input a step was last done, so that the next start can skip it.
 */
export class Stamp {
  #file;

  /** @param {string} file */
  constructor(file) {
    this.#file = file;
  }

  /** @param {string} fingerprint of the step's input now */
  matches(fingerprint) {
    try {
      return readFileSync(this.#file, 'utf8') === fingerprint;
    } catch {
      return false;
    }
  }

  /** @param {string} fingerprint of the input that the finished step saw */
  write(fingerprint) {
    mkdirSync(dirname(this.#file), { recursive: true, mode: 0o700 });
    writeFileSync(this.#file, fingerprint, { mode: 0o600 });
  }
}
