import { expect, test } from 'vitest';
import { readAgentConfig } from '../../config/agent-config.ts';
import type { ConfinedPrograms } from '../../confine/confinement.ts';
import { dependenciesOf } from './managed-service.ts';
import { dashboardListen, ownersOf, systemServices } from './system-services.ts';

const DEFAULT = { host: '127.0.0.1', port: 8003 };

test.each([
  ['0.0.0.0:9000', { host: '127.0.0.1', port: 9_000 }],
  ['[::]:9000', { host: '::1', port: 9_000 }],
  ['[::1]:9000', { host: '::1', port: 9_000 }],
  ['localhost:9000', { host: 'localhost', port: 9_000 }],
  ['9000', { host: '127.0.0.1', port: 9_000 }],
  [9_000, { host: '127.0.0.1', port: 9_000 }],
])('a dashboard that listens on %j is reached at %j', (listen, expected) => {
  expect(dashboardListen({ listen })).toEqual(expected);
});

test.each([undefined, null, 'listen', {}, { listen: '' }, { listen: 'here' }, { listen: {} }, { listen: '1:2:x' }])(
  'of %j the default is taken: its owner refuses it',
  (file) => {
    expect(dashboardListen(file)).toEqual(DEFAULT);
  },
);

const around = { env: { MUSTER_EMBEDDED: '1' }, hostname: 'web1', currentDir: '/srv/muster' };

function embedded(text = '', confined?: ConfinedPrograms) {
  const reading = readAgentConfig(text, 'agent.yaml', around);
  if ('errors' in reading) throw new Error('the configuration of this test is wrong');
  return systemServices(reading.config, {
    rootDir: '/srv/muster',
    natsServer: '/usr/sbin/nats-server',
    dashboard: DEFAULT,
    owners: ownersOf(998, '1000'),
    ...(confined !== undefined && { confined }),
  });
}

test("Muster's own services start in the order of their need", () => {
  const needs = embedded().map((spec) => [spec.name, dependenciesOf(spec).map(({ target }) => target)]);
  expect(needs).toEqual([
    ['nats-server', []],
    ['bus-setup', ['nats-server']],
    ['bus-guard', ['bus-setup']],
    ['health-prober', ['bus-setup']],
    ['dashboard', ['bus-setup']],
  ]);
});

test('each is given credentials of its own', () => {
  const credentials = embedded().map(({ name, environment }) => [name, environment['MUSTER_BUS_CREDENTIALS']]);
  expect(credentials).toEqual([
    ['nats-server', undefined],
    ['bus-setup', '/srv/muster/.muster/keys/admin-setup.creds'],
    ['bus-guard', '/srv/muster/.muster/keys/admin-setup.creds'],
    ['health-prober', '/srv/muster/.muster/keys/prober-main.creds'],
    ['dashboard', '/srv/muster/.muster/keys/dashboard-main.creds'],
  ]);
});

test.each([
  [0, undefined, [0]],
  [0, '0', [0]],
  [0, '1000', [0, 1_000]],
  [1_000, undefined, [0, 1_000]],
  [1_000, 'kim', [0, 1_000]],
] as const)('an agent of uid %i, with SUDO_UID %j, names as owners %j', (uid, sudoUid, owners) => {
  expect(ownersOf(uid, sudoUid)).toEqual(owners);
});

test('the dashboard is told its owners, and nobody else is', () => {
  const told = embedded().map(({ name, environment }) => [name, environment['MUSTER_OWNERS']]);
  expect(Object.fromEntries(told)).toEqual({
    'nats-server': undefined,
    'bus-setup': undefined,
    'health-prober': undefined,
    dashboard: '0,998,1000',
  });
});

test('as users of their own they name nothing but what their working directory leads to', () => {
  const services = embedded('', { node: './bin/node', natsServer: './nats-server' });
  for (const { name, command, environment, workingDirectory } of services) {
    // Those are the agent's own user's.
    if (name === 'bus-setup' || name === 'bus-guard') continue;
    expect(workingDirectory, name).toMatch(/^\/srv\/muster\/\.muster\/(nats|programs)$/);
    const { MUSTER_CONFIG_SOURCE: forMessages, ...rest } = environment;
    expect(JSON.stringify([command, rest]), name).not.toContain('/srv/muster');
    expect(forMessages).toBe(name === 'nats-server' ? undefined : '/srv/muster/config');
  }
});

test('a bus that listens on every address is probed on one', () => {
  const [bus] = embedded('bus: { listen: 0.0.0.0:4333 }');
  expect(bus).toMatchObject({
    name: 'nats-server',
    port: 4_333,
    probes: { liveness: { check: { kind: 'tcp', host: '127.0.0.1', port: 4_333 } } },
  });
});

test('a dashboard that is blind is not restarted, only one that is silent', () => {
  const dashboard = embedded().find(({ name }) => name === 'dashboard');
  expect(dashboard?.probes).toMatchObject({
    readiness: { check: { kind: 'http' } },
    liveness: { check: { kind: 'tcp' } },
  });
});
