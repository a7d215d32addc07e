import { printableLines } from '../../packages/contracts/src/plain/printable.js';

const LABEL_WIDTH = 14;

/**
 * Progress for people: one line per step, written when it is over. On a terminal a step under way shows as a line that its
 * result replaces; elsewhere nothing is rewritten, so a log keeps every line.
 */
export class Progress {
  /** @type {NodeJS.WritableStream & { isTTY?: boolean }} */
  #stream;
  #isTerminal;
  #hasColour;
  #hasPendingLine = false;

  /**
   * @param {NodeJS.WritableStream & { isTTY?: boolean }} stream
   * @param {Readonly<Record<string, string | undefined>>} env `NO_COLOR` (any value) and `TERM=dumb` turn colours off
   */
  constructor(stream, env) {
    this.#stream = stream;
    this.#isTerminal = stream.isTTY === true && env.TERM !== 'dumb';
    this.#hasColour = this.#isTerminal && !env.NO_COLOR;
  }

  /**
   * A step that takes a while has begun.
   * @param {string} label
   * @param {string} text
   */
  begin(label, text) {
    if (!this.#isTerminal) {
      this.#write(`${row(label, `${text} …`)}\n`);
      return;
    }
    this.#clearPending();
    this.#stream.write(this.#colour(2, row(label, `${text} …`)));
    this.#hasPendingLine = true;
  }

  /**
   * A step is over, well.
   * @param {string} label
   * @param {string} text
   */
  done(label, text) {
    this.#write(`${this.#colour(32, row(label, ''))}${printableLines(text)}\n`);
  }

  /**
   * A step is over, badly, or something needs an eye.
   * @param {string} label
   * @param {string} text
   */
  failed(label, text) {
    this.#write(`${this.#colour(31, row(label, ''))}${printableLines(text)}\n`);
  }

  /** @param {string} text a line of its own, or several */
  say(text) {
    this.#write(`${printableLines(text)}\n`);
  }

  /** @param {string} text what matters most: the address at the end, the reason of a refusal */
  announce(text) {
    this.#write(`${this.#colour(1, printableLines(text))}\n`);
  }

  /** @param {string} text */
  #write(text) {
    this.#clearPending();
    this.#stream.write(text);
  }

  #clearPending() {
    if (this.#hasPendingLine) this.#stream.write('\r\x1b[2K');
    this.#hasPendingLine = false;
  }

  /**
   * @param {number} code SGR parameter
   * @param {string} text
   */
  #colour(code, text) {
    return this.#hasColour ? `\x1b[${code}m${text}\x1b[0m` : text;
  }
}

/**
 * @param {string} label
 * @param {string} text
 */
function row(label, text) {
  return `  ${printableLines(label).padEnd(LABEL_WIDTH)} ${printableLines(text)}`;
}

/**
 * A duration for people: `0.4 s`, `12 s`, `3 min 5 s`.
 * @param {number} durationMs
 */
export function formatDuration(durationMs) {
  const seconds = durationMs / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
