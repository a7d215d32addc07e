import { type Paint, paintAnsi, paintPlain } from './render/paint.ts';

/** The parts of a process's output streams that a command needs. */
export interface Output {
  readonly isTTY?: boolean;
  write(text: string): boolean;
}

/** Where commands speak: results to stdout, everything about them to stderr, so that a pipe carries results only. */
export class Terminal {
  readonly paint: Paint;
  readonly #stdout: Output;
  readonly #stderr: Output;

  /** Colours are for a terminal, unless NO_COLOR is set (https://no-color.org). */
  constructor(stdout: Output, stderr: Output, env: Readonly<Record<string, string | undefined>>) {
    this.#stdout = stdout;
    this.#stderr = stderr;
    const isPlain = stdout.isTTY !== true || (env.NO_COLOR ?? '') !== '' || env.TERM === 'dumb';
    this.paint = isPlain ? paintPlain : paintAnsi;
  }

  /** Does a person read along? */
  get isWatched(): boolean {
    return this.#stdout.isTTY === true;
  }

  print(...lines: readonly string[]): void {
    for (const line of lines) this.#stdout.write(`${line}\n`);
  }

  /** One compact JSON document on one line. */
  printJson(value: unknown): void {
    this.print(JSON.stringify(value));
  }

  note(...lines: readonly string[]): void {
    for (const line of lines) this.#stderr.write(`${line}\n`);
  }
}
