/* Terms of a prober within this process, over a real bus. */
import { join } from 'node:path';
import { eventually } from '@muster/testkit';
import { expect, test, vi } from 'vitest';
import { LeaseKeeper } from '../src/runtime/lease-keeper.ts';
import { readOwnPlace } from '../src/runtime/own-place.ts';
import { runProber } from '../src/runtime/prober.ts';
import { startTestBus } from './test-bus.ts';

const POLICY = {
  cadence: { intervalMs: 30_000, retryMs: 5_000 },
  targetsPerHost: 1_000,
  rules: { allow: [], deny: [] },
  caps: { total: 1, perHost: 1 },
  attempts: 3,
  timeoutMs: 1_000,
  degradedAfterMs: 1_000,
};

test('a term that cannot begin leaves nobody behind who renews its lease', async () => {
  await using bus = await startTestBus();
  const own = await bus.connect({ role: 'prober', id: 'main' });
  // What a term begins with; the next reading is the next term's.
  vi.spyOn(own, 'history').mockRejectedValueOnce(new Error('the stream has no leader'));
  using hold = vi.spyOn(LeaseKeeper.prototype, 'hold');
  const stopping = new AbortController();
  const told: string[] = [];
  const running = runProber(
    {
      bus: own,
      prober: 'main',
      version: 'test',
      stateDir: join(bus.stateDir, 'prober'),
      own: readOwnPlace(undefined),
      policy: POLICY,
      log: (_level, message) => told.push(message),
    },
    stopping.signal,
  );
  await eventually(() => told.includes('leading: judges from now on'), { timeoutMs: 50_000 });
  expect(told[0]).toBe('cannot begin to judge, trying again');
  expect(hold).toHaveBeenCalledTimes(2);
  expect(await hold.mock.results[0]?.value).toBe('it was taken anew, for another term');
  stopping.abort(new Error('the test is over'));
  await running;
});
