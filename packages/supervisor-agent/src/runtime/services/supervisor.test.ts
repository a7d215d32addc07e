import { expect, test } from 'vitest';
import { MemoryHost, probed, specOf } from '../../../test/support/memory-host.ts';

const onDb = { dependencies: [{ service: 'db', condition: 'ready' }] } as const;
const onApi = { dependencies: [{ service: 'api', condition: 'started' }] } as const;

async function begin(...services: ConstructorParameters<typeof MemoryHost>[0]['services']): Promise<MemoryHost> {
  const host = new MemoryHost({ services });
  await host.supervisor.begin([]);
  await host.settled();
  return host;
}

test('a dependent starts once what it needs is ready, and not before', async () => {
  using host = await begin({ spec: specOf('api', onDb) }, { spec: probed('db') });
  expect(host.states()).toEqual(['api pending', 'db running']);
  expect(host.runner('api').state.persisted.unmetReason).toBe('waits for db to be ready');
  await host.find('db', { type: 'ready' });
  expect(host.states()).toEqual(['api running', 'db running']);
});

test('a dependency that goes stops nobody, but who falls then waits until it heals', async () => {
  using host = await begin({ spec: specOf('api', onDb) }, { spec: probed('db') });
  await host.find('db', { type: 'ready' });
  host.runner('db').post({ type: 'stop' });
  await host.settled();
  expect(host.states()).toEqual(['api running', 'db stopped']);

  host.driver.runs.get('api')?.end({ kind: 'code', code: 1 });
  await host.settled();
  expect(host.states()).toEqual(['api pending', 'db stopped']);
  expect(host.runner('api').state.persisted.unmetReason).toBe('waits for db to be ready, which is stopped');

  host.runner('db').post({ type: 'start' });
  await host.settled();
  await host.find('db', { type: 'ready' });
  expect(host.states()).toEqual(['api running', 'db running']);
  expect(host.driver.log).toEqual(['start db', 'start api', 'SIGTERM db', 'SIGKILL api', 'start db', 'start api']);
});

test('what is not configured here, and what this host has no driver for, hold their dependents back with the reason', async () => {
  using host = await begin(
    { spec: specOf('api', { dependencies: [{ service: 'cache', condition: 'ready' }] }) },
    { spec: specOf('web', { dependencies: [{ service: 'image', condition: 'started' }] }) },
    { spec: specOf('image'), driverLack: "no driver for 'docker' in this version" },
  );
  expect(host.states()).toEqual(['api pending', 'web pending', 'image unknown']);
  expect(host.runner('api').state.persisted.unmetReason).toBe('cache is not configured here');
  expect(host.runner('web').state.persisted.unmetReason).toBe('waits for image to start, whose state is unknown');
  expect(host.runner('image').state).toMatchObject({ reason: "no driver for 'docker' in this version" });
});

test('an orderly stop goes against the dependencies, and Muster itself goes last', async () => {
  using host = await begin(
    { spec: specOf('bus'), isSystem: true },
    { spec: specOf('db') },
    { spec: specOf('api', onDb) },
    { spec: specOf('web', onApi) },
  );
  host.driver.log.length = 0;
  const told: string[] = [];
  await host.supervisor.hold(new Set(['bus', 'db', 'api', 'web']), (service, remaining) =>
    told.push(`${service}, ${remaining} to go`),
  );
  expect(host.driver.log).toEqual(['SIGTERM web', 'SIGTERM api', 'SIGTERM db', 'SIGTERM bus']);
  expect(told).toEqual(['web, 3 to go', 'api, 2 to go', 'db, 1 to go', 'bus, 0 to go']);
  expect(host.states()).toEqual(['bus stopped', 'db stopped', 'api stopped', 'web stopped']);
  for (const runner of host.supervisor.runners()) expect(runner.state.persisted.desired).toBe('up');
});

test('nobody loses what it depends on while it takes its time to stop', async () => {
  using host = await begin({ spec: specOf('db') }, { spec: specOf('api', onDb) }, { spec: specOf('other') });
  host.driver.stubborn.add('api');
  const held = host.supervisor.hold(new Set(['db', 'api', 'other']), () => {});
  await host.settled();
  expect(host.states()).toEqual(['db running', 'api stopping', 'other stopped']);
  host.driver.runs.get('api')?.end({ kind: 'code', code: 0 });
  await held;
  expect(host.states()).toEqual(['db stopped', 'api stopped', 'other stopped']);
});

test('only what lived is told as stopped', async () => {
  using host = await begin({ spec: specOf('db') }, { spec: specOf('api', onDb) });
  host.runner('api').post({ type: 'stop' });
  await host.settled();
  const told: string[] = [];
  await host.supervisor.hold(new Set(['db', 'api']), (service) => told.push(service));
  expect(told).toEqual(['db']);
  expect(host.runner('api').state.persisted.desired).toBe('down');
});

test('what is found alive only after the order to stop is stopped too', async () => {
  using host = new MemoryHost({ services: [{ spec: specOf('api') }] });
  host.driver.leaveBehind('api', 3);
  const begun = host.supervisor.begin([]);
  await Promise.all([begun, host.supervisor.hold(new Set(['api']), () => {})]);
  expect(host.driver.log).toEqual(['SIGTERM api']);
  expect(host.states()).toEqual(['api stopped']);
});

test('an order to stop that comes before the drivers have answered is carried out once they have', async () => {
  using host = new MemoryHost({ services: [{ spec: specOf('api') }] });
  const begun = host.supervisor.begin([]);
  await Promise.all([begun, host.supervisor.hold(new Set(['api']), () => {})]);
  expect(host.driver.log).toEqual([]);
  expect(host.states()).toEqual(['api stopped']);
});

test('nothing starts after an order to stop', async () => {
  using host = await begin({ spec: specOf('api', onDb) }, { spec: probed('db') });
  await host.supervisor.hold(new Set(['api']), () => {});
  await host.find('db', { type: 'ready' });
  host.runner('api').post({ type: 'start' });
  await host.settled();
  expect(host.driver.log).toEqual(['start db']);
});

test('what was orphaned goes on as wanted once its processes have ended, and not before', async () => {
  using host = new MemoryHost({ services: [{ spec: specOf('api') }, { spec: specOf('db') }] });
  host.driver.orphans.set('api', { kind: 'orphan', pids: [99], reason: 'pid 99 lives' });
  await host.supervisor.begin([]);
  await host.settled();
  await host.supervisor.lookAtOrphans();
  expect(host.states()).toEqual(['api orphaned', 'db running']);
  host.driver.orphans.clear();
  await host.supervisor.lookAtOrphans();
  await host.settled();
  expect(host.states()).toEqual(['api running', 'db running']);
  expect(host.driver.log).toEqual(['start db', 'start api']);
});
