import { messageOf } from '@muster/contracts';

export const EXIT = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** What the command line says will not do. */
export class UsageError extends Error {}

/** Runs `main` as this process, up to its exit code. Ctrl-C and TERM abort it, and it then stops what it started. */
export async function runProgram(
  { name, help }: { readonly name: string; readonly help: string },
  main: (signal: AbortSignal) => Promise<number>,
): Promise<void> {
  const interruption = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      process.stderr.write('stopping what was started\n');
      interruption.abort(new Error(`interrupted by ${signal}`));
    });
  }
  try {
    process.exitCode = await main(interruption.signal);
  } catch (error) {
    if (interruption.signal.aborted) {
      process.exitCode = EXIT.interrupted;
    } else if (error instanceof UsageError || (error instanceof TypeError && 'code' in error)) {
      process.stderr.write(`${error.message}\n\n${help}`);
      process.exitCode = EXIT.usage;
    } else {
      process.stderr.write(`the ${name} failed: ${error instanceof Error ? error.stack : messageOf(error)}\n`);
      process.exitCode = EXIT.failed;
    }
  }
}
