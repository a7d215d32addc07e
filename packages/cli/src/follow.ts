import type { Bus } from '@muster/contracts/bus';
import type { Terminal } from './terminal.ts';

/**
 * Returns when Ctrl-C says so. Says on stderr when it listens, and when the bus goes away and comes back: what happened in
 * between is in the streams, not here.
 */
export async function follow(bus: Bus, terminal: Terminal, signal: AbortSignal): Promise<void> {
  // The server knows of the subscriptions: nothing that happens from here on is missed.
  await bus.flush();
  terminal.note('muster: listening, Ctrl-C ends it');
  const stopListening = bus.onConnection(({ connected, reason }) => {
    terminal.note(
      connected
        ? 'muster: the bus is back; what happened in between is not shown here'
        : `muster: the bus is away (${reason}), waiting for it`,
    );
  });
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  stopListening();
}
