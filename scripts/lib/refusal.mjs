import { printableLines } from '../../packages/contracts/src/plain/printable.js';

/** A start that cannot go on, for a reason the person at the keyboard can change. Its message is the one line they see. */
export class Refusal extends Error {
  /**
   * @param {string} message what failed, on which thing, why, and what to do
   * @param {{ exitCode?: 1 | 2, details?: string }} [facts] exit code 2 means wrong use; `details` is output worth showing under the line
   */
  constructor(message, { exitCode = 1, details = '' } = {}) {
    super(message);
    this.name = 'Refusal';
    /** @type {1 | 2} */
    this.exitCode = exitCode;
    this.details = details;
  }
}

/**
 * @param {unknown} error
 * @param {NodeJS.WritableStream} stderr
 * @returns {number} exit code
 * @throws what is not a refusal: a bug
 */
export function reportRefusal(error, stderr) {
  if (!(error instanceof Refusal)) throw error;
  stderr.write(printableLines(`muster: ${error.message}\n${error.details === '' ? '' : `${error.details}\n`}`));
  return error.exitCode;
}
