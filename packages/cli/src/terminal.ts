import { printableJson, printableLines } from '@muster/contracts';
import { OWN_COLOURS, type Paint, paintAnsi, paintPlain } from './render/paint.ts';

/** The parts of a process's output streams that a command needs. */
export interface Output {
  readonly isTTY?: boolean;
  write(text: string): boolean;
}

/**
 * Where commands speak: results to stdout, everything about them to stderr, so that a pipe carries results only. Nothing gets
 * through that would move the cursor or change the reader's terminal, whoever has forgotten it before.
 */
export class Terminal {
  readonly paint: Paint;
  readonly #stdout: Output;
  readonly #stderr: Output;
  readonly #show: (line: string) => string;

  /** Colours are for a terminal, unless NO_COLOR is set (https://no-color.org). */
  constructor(stdout: Output, stderr: Output, env: Readonly<Record<string, string | undefined>>) {
    this.#stdout = stdout;
    this.#stderr = stderr;
    const isPlain = stdout.isTTY !== true || (env.NO_COLOR ?? '') !== '' || env.TERM === 'dumb';
    this.paint = isPlain ? paintPlain : paintAnsi;
    this.#show = isPlain ? printableLines : showPainted;
  }

  /** Does a person read along? */
  get isWatched(): boolean {
    return this.#stdout.isTTY === true;
  }

  print(...lines: readonly string[]): void {
    for (const line of lines) this.#stdout.write(`${this.#show(line)}\n`);
  }

  /** One compact JSON document on one line. */
  printJson(value: unknown): void {
    this.#stdout.write(`${printableJson(value)}\n`);
  }

  note(...lines: readonly string[]): void {
    for (const line of lines) this.#stderr.write(`${this.#show(line)}\n`);
  }
}

/** With the colours that are our own, and no others. */
function showPainted(line: string): string {
  return line
    .split(OWN_COLOURS)
    .map((part, at) => (at % 2 === 1 ? part : printableLines(part)))
    .join('');
}
