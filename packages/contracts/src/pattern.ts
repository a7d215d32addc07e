import { RE2JS } from 're2js';
import { PatternError } from './pattern-error.ts';

/** What an expression may come to once it is compiled: the time for each character grows with it. */
const MAX_INSTRUCTIONS = 250;

/**
 * A regular expression that somebody else wrote, in RE2's syntax. JavaScript's own try every way to match, which takes years
 * for some expressions on a short line, and nothing stops them; this one takes time that grows with the text's length only. Its library is large: a program that is seldom asked for one imports this module then.
 */
export class Pattern {
  readonly source: string;
  readonly #compiled: RE2JS;

  /** @throws PatternError */
  constructor(source: string) {
    this.source = source;
    this.#compiled = compile(source);
    const size = this.#compiled.programSize();
    if (size > MAX_INSTRUCTIONS) {
      throw new PatternError(
        source,
        `it comes to ${size} steps, and ${MAX_INSTRUCTIONS} is the most: write a shorter one`,
      );
    }
  }

  /** Is it found anywhere in `text`? */
  test(text: string): boolean {
    return this.#compiled.test(text);
  }
}

function compile(source: string): RE2JS {
  try {
    return RE2JS.compile(source);
  } catch (error) {
    const reason = (error as Error).message.replace(/^error parsing regexp: /, '');
    throw new PatternError(source, `${reason}; it must be in RE2's syntax, without lookaround and back-references`, {
      cause: error,
    });
  }
}
