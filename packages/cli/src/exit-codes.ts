/** What `muster` exits with. Scripts rely on these numbers: they never change their meaning. */
export const EXIT = {
  ok: 0,
  /** The answer is no: refused, failed, or the file has errors. */
  failed: 1,
  /** Wrong use of the command line, or a setting that can't be read. */
  usage: 2,
  /** The bus can't be reached, or it turned us away. */
  busUnreachable: 3,
  /** Sent, but nobody can say what came of it: it may have happened. */
  outcomeUnknown: 4,
  /** No such host, service or instance. */
  notFound: 5,
} as const;
export type ExitName = keyof typeof EXIT;

/** For `muster --help`. */
export const EXIT_CODES_HELP = `Exit codes:
  0  done
  1  refused or failed; for validate: the file has errors
  2  wrong use, or a setting that cannot be read
  3  the bus cannot be reached
  4  outcome unknown: sent, but not seen to finish in time; 'muster outcome <id>' asks again
  5  no such host, service or instance`;

/** A command can't do what it was asked. The message says what failed, on what, why, and what to do. */
export class CliError extends Error {
  readonly exit: ExitName;

  constructor(exit: ExitName, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CliError';
    this.exit = exit;
  }
}
