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

/** Tells the program what to exit with; what a command throws becomes its message on stderr. */
export type Run = (command: () => Promise<ExitCode>) => Promise<void>;
