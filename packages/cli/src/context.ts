import type { Flags, Settings } from './config.ts';
import type { EXIT } from './exit-codes.ts';
import type { Terminal } from './terminal.ts';

/** What a command gets from the process around it. */
export interface Context {
  readonly terminal: Terminal;
  readonly readSettings: (flags: Flags) => Settings;
  readonly stdin: NodeJS.ReadStream;
  /** Aborted by Ctrl-C and TERM. */
  readonly signal: AbortSignal;
}

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/**
 * Makes an action for commander of what a command does: given its arguments, its options with the global ones, the context and
 * commander's own command. Its exit code becomes the program's; what it throws becomes a message on stderr.
 */
export type Act = (work: (...given: never[]) => Promise<ExitCode>) => (...given: unknown[]) => Promise<void>;
