/** Somebody clears the store of Muster's own bus, and the server comes back empty: nobody has to do anything about it. */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { rows } from '@muster/contracts';
import { eventually, startMusterSystem } from '@muster/testkit';
import { expect, test } from 'vitest';
import { connect, killHard, servicesYaml, shell } from './support.ts';

test('a bus that lost its store is set up again, and hears of everything again', async () => {
  const service = { name: 'api', command: shell('while :; do sleep 1; done') };
  await using system = await startMusterSystem({ services: servicesYaml(service) });
  await system.waitUntilUp();
  await using bus = await connect(system);
  await eventually(async () => (await bus.kv('status').get('web1.api.0')) !== undefined, { message: 'the status' });

  const server = await system.waitUntilReady('nats-server');
  // The server may put a file back into a folder that is being emptied.
  await rm(path.join(system.stateDir, 'nats', 'jetstream'), { recursive: true, maxRetries: 20, retryDelay: 50 });
  await killHard(server.pid ?? 0);

  await bus.connected(AbortSignal.timeout(60_000));
  const status = await eventually(
    () =>
      bus
        .kv('status')
        .get('web1.api.0')
        .catch(() => undefined),
    {
      message: 'the status of a service that did nothing since',
      timeoutMs: 60_000,
    },
  );
  expect(status.value).toMatchObject({ state: 'running', ready: 'yes' });

  const { pid = 0 } = await system.waitUntilReady('api');
  await killHard(pid);
  await system.waitFor('api', ({ generation, state }) => generation === 2 && state === 'running');
  await eventually(
    async () => {
      const events = await bus.history(rows.instanceEvent, { host: 'web1', service: 'api' });
      return events.some(({ message }) => message.generation === 2 && message.to === 'running');
    },
    { message: 'the restart in the new stream', timeoutMs: 60_000 },
  );
});
