import { readFileSync } from 'node:fs';
import { formatDiagnostic, servicesJsonSchema } from '@muster/contracts/config';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { type AgentConfig, agentJsonSchema, configDirOf, readAgentConfig } from './agent-config.ts';

const around = { env: {}, hostname: 'Web-1.example.org', currentDir: '/srv/muster' };

function configOf(text: string, env: Record<string, string> = {}): AgentConfig {
  const reading = readAgentConfig(text, 'agent.yaml', { ...around, env });
  if ('errors' in reading) throw new Error(reading.errors.map(formatDiagnostic).join('\n'));
  return reading.config;
}

test('an empty file means the defaults', () => {
  expect(configOf('')).toEqual({
    environment: 'development',
    host: 'web-1',
    stateDir: '/srv/muster/.muster',
    configDir: '/srv/muster/config',
    isEmbedded: false,
    bus: { listen: { host: '127.0.0.1', port: 4222 }, url: 'nats://127.0.0.1:4222', isExternal: false },
    runAs: { bus: 'muster-bus', prober: 'muster-prober', dashboard: 'muster-dashboard' },
    metricsIntervalMs: 10_000,
    logLevel: 'info',
  });
});

test('the file is read, and the environment wins over it', () => {
  const text = `
environment: staging
host: db1
state_dir: /var/lib/muster
bus: { url: tls://bus.example.org:4222, creds: agent.creds }
metrics: { interval: 2s }
log: { level: debug }
`;
  expect(configOf(text)).toMatchObject({
    environment: 'staging',
    host: 'db1',
    stateDir: '/var/lib/muster',
    bus: { url: 'tls://bus.example.org:4222', isExternal: true, credsFile: '/srv/muster/agent.creds' },
    metricsIntervalMs: 2_000,
    logLevel: 'debug',
  });
  const env = {
    MUSTER_ENVIRONMENT: 'production',
    MUSTER_HOST: 'db2',
    MUSTER_STATE_DIR: 'state',
    MUSTER_CONFIG_DIR: '/etc/muster',
    MUSTER_EMBEDDED: '1',
    MUSTER_NATS_SERVER: '/opt/nats-server',
  };
  expect(configOf(text, env)).toMatchObject({
    environment: 'production',
    host: 'db2',
    stateDir: '/srv/muster/state',
    configDir: '/etc/muster',
    isEmbedded: true,
    bus: { serverProgram: '/opt/nats-server' },
  });
  expect(configDirOf({ ...around, env })).toBe('/etc/muster');
});

test('a cluster is named by all of its servers', () => {
  const url = 'nats://bus1:4222, nats://bus2:4222';
  expect(configOf(`bus: { url: "${url}" }`).bus).toMatchObject({ url, isExternal: true });
});

test("Muster's own programs run as users of their own, as the users that are named, or all as one", () => {
  const own = { bus: 'muster-bus', prober: 'muster-prober', dashboard: 'muster-dashboard' };
  expect(configOf('run_as: { bus: nats }').runAs).toEqual({ ...own, bus: 'nats' });
  expect(configOf('run_as: root').runAs).toEqual({ bus: 'root', prober: 'root', dashboard: 'root' });
  const bad = [
    'run_as: 0',
    'run_as: "-u"',
    'run_as: "a:b"',
    'run_as: { agent: root }',
    'run_as: { bus: "" }',
    'run_as: []',
  ];
  for (const text of bad) expect(readAgentConfig(text, 'agent.yaml', around), text).toHaveProperty('errors');
});

test('all that is wrong is said at once', () => {
  const text =
    'enviroment: x\nhost: WEB\nbus:\n  listen: 4222\n  url: nats://me:hunter2@bus\nmetrics: { interval: often }\n';
  const reading = readAgentConfig(text, 'agent.yaml', {
    ...around,
    env: { MUSTER_HOST: 'A B', MUSTER_EMBEDDED: 'yes' },
  });
  const idRule = 'write 1 to 63 of a-z, 0-9, _ and -, starting with a letter or a digit';
  expect('errors' in reading && reading.errors.map(formatDiagnostic)).toEqual([
    `MUSTER_HOST: the environment variable is "A B"; ${idRule}`,
    'MUSTER_EMBEDDED: the environment variable is "yes"; write 1 or 0',
    `agent.yaml:1:1: unknown key "enviroment"; did you mean 'environment'?`,
    `agent.yaml:2:7: 'host' is "WEB"; ${idRule}`,
    `agent.yaml:4:11: 'bus.listen' is 4222; write address:port, such as 127.0.0.1:4222`,
    `agent.yaml:5:8: 'bus.url' is "nats://…@bus"; write nats://host:port or tls://host:port, without user and password; several with commas`,
    `agent.yaml:6:22: 'metrics.interval' is "often"; write a duration above zero of at most 24 days: seconds (30), or with a unit ("250ms", "30s", "5m")`,
  ]);
});

test('never throws, whatever the text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string(), (text, host) => {
      expect(readAgentConfig(text, 'agent.yaml', { ...around, env: { MUSTER_HOST: host } })).toBeTypeOf('object');
    }),
  );
});

test.each([
  ['services', servicesJsonSchema()],
  ['agent', agentJsonSchema()],
])('the JSON Schema of %s.yaml is up to date (else: npm run schemas -w packages/supervisor-agent)', (name, schema) => {
  const file = new URL(`../../../../config/schema/${name}.schema.json`, import.meta.url);
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(JSON.parse(JSON.stringify(schema)));
});

test('a bus that others reach speaks TLS, with the files beside the creds unless they are named', () => {
  expect(configOf('bus: { listen: "0.0.0.0:4333", names: [bus.example.org] }').bus).toMatchObject({
    url: 'tls://127.0.0.1:4333',
    isExternal: false,
  });
  // A client connects to a real address where the server listens on all.
  expect(configOf('bus: { listen: "[::]:4333" }').bus.url).toBe('tls://[::1]:4333');
  expect(configOf('bus: { tls: { ca: keys/ca.crt, cert: /k/a.crt, key: /k/a.key } }').bus.tls).toEqual({
    caFile: '/srv/muster/keys/ca.crt',
    certFile: '/k/a.crt',
    keyFile: '/k/a.key',
  });
});

test('there is no way to write that TLS is not to be checked', () => {
  for (const text of ['bus: { tls: { verify: false } }', 'bus: { tls: false }', 'bus: { tls: { cert: a.crt } }']) {
    expect(readAgentConfig(text, 'agent.yaml', around)).toHaveProperty('errors');
  }
});
