import { type Context, createContext, Script } from 'node:vm';

/** How long the lines of one slice may keep the processor busy. The agent does nothing else meanwhile. */
const SLICE_TIMEOUT_MS = 50;

/** A regular expression that takes too long on some line. */
export class SlowRegexError extends Error {
  constructor(source: string) {
    super(`the regular expression '${source}' takes too long on some lines: write one without nested repetition`);
    this.name = 'SlowRegexError';
  }
}

const MATCH = new Script('texts.map((text) => regex.test(text))');

/**
 * A regular expression of somebody else. Some take years on a short line, and nothing within the language stops them; a
 * script that runs with a timeout is stopped from outside.
 */
export class GuardedRegex {
  readonly #context: Context & { texts?: readonly string[] };
  readonly #source: string;

  /** @throws SyntaxError */
  constructor(source: string) {
    this.#source = source;
    this.#context = createContext({ regex: new RegExp(source) });
  }

  /** Which of them it is found in. @throws SlowRegexError */
  test(texts: readonly string[]): readonly boolean[] {
    this.#context.texts = texts;
    const before = process.cpuUsage();
    for (;;) {
      try {
        return MATCH.runInContext(this.#context, { timeout: SLICE_TIMEOUT_MS }) as boolean[];
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
        // On a busy machine most of that time was others': then it is tried again, until its own is used up.
        const { user, system } = process.cpuUsage(before);
        if ((user + system) / 1_000 >= SLICE_TIMEOUT_MS) throw new SlowRegexError(this.#source);
      }
    }
  }
}
