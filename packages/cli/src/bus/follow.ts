import type { Bus, BusProblem } from '@muster/contracts/bus';
import { CliError } from '../exit-codes.ts';
import type { Terminal } from '../terminal.ts';

/** Whether the server turned a subscription down, which it says beside everything else. */
export class Denial {
  readonly #controller = new AbortController();

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** For `connect`. */
  readonly tell = ({ kind, subject = '' }: BusProblem): void => {
    if (kind !== 'permission') return;
    const message = `not allowed: these credentials may not listen to '${subject}': name others with --creds`;
    this.#controller.abort(new CliError('failed', message));
  };
}

/**
 * Returns when Ctrl-C says so. Says on stderr when it listens, and when the bus goes away and comes back: what happened in
 * between is in the streams, not here.
 * @throws CliError (failed) when the server does not let us listen
 */
export async function follow(bus: Bus, terminal: Terminal, denied: AbortSignal, signal: AbortSignal): Promise<void> {
  // The server knows of the subscriptions: nothing that happens from here on is missed.
  await bus.flush();
  const stopTelling = tellOfBus(bus, terminal, 'the bus is back; what happened in between is not shown here');
  await new Promise<void>((resolve) => {
    for (const end of [denied, signal]) {
      if (end.aborted) resolve();
      else end.addEventListener('abort', () => resolve(), { once: true });
    }
  });
  stopTelling();
  denied.throwIfAborted();
}

/** Says on stderr that it listens, and when the bus goes away and comes back. Returns how to end that. */
export function tellOfBus(bus: Bus, terminal: Terminal, whenBack: string): () => void {
  terminal.note('muster: listening, Ctrl-C ends it');
  return bus.onConnection(({ connected, reason }) =>
    terminal.note(`muster: ${connected ? whenBack : `the bus is away (${reason}), waiting for it`}`),
  );
}
