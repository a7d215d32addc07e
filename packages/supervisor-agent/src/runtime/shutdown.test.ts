import { expect, test, vi } from 'vitest';
import { abortable } from '../abortable.ts';
import { type Shutdown, stopEverything } from './shutdown.ts';

test('what services print may hang: the bus still gets its last word', async () => {
  const flushed = vi.fn<(signal: AbortSignal) => Promise<void>>(async (signal) => signal.throwIfAborted());
  const warn = vi.fn<(...args: readonly unknown[]) => void>();
  const shutdown = {
    supervisor: { services: new Map().values(), hold: async () => {} },
    lastToStop: [],
    events: { announce: () => {} },
    output: { flush: (signal: AbortSignal) => abortable(new Promise<never>(() => {}), signal) },
    outbox: { flushed, backlog: 0 },
    logs: { flush: flushed },
    keys: { statuses: { flushed } },
    logger: { warn },
  } as unknown as Shutdown;
  await stopEverything(shutdown, () => {});
  expect(flushed).toHaveBeenCalledTimes(3);
  expect(warn).toHaveBeenCalledExactlyOnceWith(expect.stringContaining('services printed'));
});
