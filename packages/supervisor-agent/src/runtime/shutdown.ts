/** How an agent ends: what it stops in which order, and what it still says. */
import type { Outbox } from '@muster/contracts/bus';
import type { Logger } from 'pino';
import type { AgentKeys } from '../bus/agent-keys.ts';
import type { LogShipping } from '../log/log-shipping.ts';
import type { Output } from '../output/output.ts';
import type { HostEvents } from './report/host-events.ts';
import type { Supervisor } from './services/supervisor.ts';

export interface Shutdown {
  readonly supervisor: Supervisor;
  /** Services that the agent itself needs to the last, to tell of all others. */
  readonly lastToStop: readonly string[];
  readonly events: Pick<HostEvents, 'announce'>;
  readonly outbox: Outbox;
  readonly output: Output;
  readonly logs: LogShipping;
  readonly keys: AgentKeys;
  readonly logger: Logger;
}

/** How long a shutdown waits for the bus to take what is left. What it does not take stays on disk. */
const FLUSH_TIMEOUT_MS = 3_000;
/** The same for an output writer that hangs. */
const OUTPUT_TIMEOUT_MS = 2_000;

/** Stops everything in reverse order; the bus last, once it has all that was to be said. */
export async function stopEverything(
  shutdown: Shutdown,
  onStopped: (service: string, remaining: number) => void,
): Promise<void> {
  const { supervisor, lastToStop, events } = shutdown;
  events.announce('stopping', 'asked to stop everything');
  const all = [...supervisor.services].map(({ spec }) => spec.name);
  const last = all.filter((name) => lastToStop.includes(name));
  const first = all.filter((name) => !last.includes(name));
  await supervisor.hold(new Set(first), (service, remaining) => onStopped(service, remaining + last.length));
  events.announce('stopped', 'everything is stopped');
  await flush(shutdown);
  await supervisor.hold(new Set(last), onStopped);
}

async function flush({ outbox, output, logs, keys, logger }: Shutdown): Promise<void> {
  try {
    await output.flush(AbortSignal.timeout(OUTPUT_TIMEOUT_MS));
  } catch {
    logger.warn('not all that services printed is in their logs; the next agent goes on with it');
  }
  const signal = AbortSignal.timeout(FLUSH_TIMEOUT_MS);
  try {
    await Promise.all([outbox.flushed(signal), logs.flush(signal)]);
    // What is stored last is what is shown of this host while nobody speaks for it.
    await keys.statuses.flushed(signal);
  } catch {
    logger.warn({ backlog: outbox.backlog }, 'the bus did not take everything; the rest stays on disk');
  }
}

/** Something that ends with the agent. */
export type Ending = Disposable | AsyncDisposable | (() => void | Promise<void>);

/** One after the other. */
export async function endAll(endings: readonly Ending[]): Promise<void> {
  for (const ending of endings) {
    if (typeof ending === 'function') await ending();
    else if (Symbol.asyncDispose in ending) await ending[Symbol.asyncDispose]();
    else ending[Symbol.dispose]();
  }
}
