import { eventually } from '@muster/testkit';
import { expect, test, vi } from 'vitest';
import { MemoryHost, specOf } from '../../../test/support/memory-host.ts';

test('a look for what is left that fails is made again with the next signal', async () => {
  const bugs: string[] = [];
  const spec = specOf('api', { stopTimeoutMs: 50 });
  using host = new MemoryHost({ services: [{ spec }], onBug: (what) => bugs.push(what) });
  host.driver.stubborn.add('api');
  await host.supervisor.begin([]);
  await host.settled();
  const run = host.driver.runs.get('api');
  if (run === undefined) throw new Error('it does not run');
  vi.spyOn(run, 'treeGone').mockRejectedValueOnce(new Error('EMFILE: too many open files'));
  host.runner('api').post({ type: 'stop' });
  await eventually(() => host.runner('api').state.name === 'stopped', { message: 'stopped', timeoutMs: 20_000 });
  expect(bugs).toEqual(['stopping api']);
  expect(host.driver.log).toEqual(['start api', 'SIGTERM api', 'SIGKILL api']);
});
