import { readFileSync } from 'node:fs';
import { formatDiagnostic } from '@muster/contracts/config';
import { expect, test } from 'vitest';
import { proberJsonSchema, readProberConfig } from './config.ts';

const around = { env: {}, currentDir: '/srv/muster' };

test('an empty file is a whole configuration', () => {
  expect(readProberConfig('', 'prober.yaml', around)).toEqual({
    config: {
      id: 'main',
      environment: 'development',
      servers: ['nats://127.0.0.1:4222'],
      stateDir: '/srv/muster/.muster/prober-main',
      policy: {
        cadence: { intervalMs: 30_000, retryMs: 5_000 },
        caps: { total: 200, perHost: 10 },
        targetsPerHost: 1_000,
        rules: { allow: [], deny: [] },
        attempts: 3,
        timeoutMs: 10_000,
        degradedAfterMs: 2_000,
        quorum: undefined,
      },
    },
  });
});

test('the example file says the defaults: with every key uncommented it is the empty configuration', () => {
  const text = readFileSync(new URL('../../../config/prober.yaml', import.meta.url), 'utf8');
  const uncommented = text.replace(/^# (?=\s*(-|[a-z_]+:( |$)))/gm, '');
  const reading = readProberConfig(uncommented, 'prober.yaml', around);
  expect(reading).toMatchObject({
    config: { id: 'main', credentialsFile: '/srv/muster/.muster/keys/prober-main.creds' },
  });
  const { config } = readProberConfig('', 'prober.yaml', around) as { config: { policy: object } };
  expect(reading).toMatchObject({ config: { policy: { ...config.policy, quorum: 2 } } });
});

test('the JSON Schema of prober.yaml is up to date (else: npm run schemas -w packages/health-prober)', () => {
  const file = new URL('../../../config/schema/prober.schema.json', import.meta.url);
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(JSON.parse(JSON.stringify(proberJsonSchema())));
});

test('the environment wins over the file', () => {
  const env = {
    MUSTER_PROBER_ID: 'spare',
    MUSTER_ENVIRONMENT: 'staging',
    MUSTER_STATE_DIR: '/var/lib/muster',
    MUSTER_BUS_URL: 'tls://bus1:4222,tls://bus2:4222',
    MUSTER_BUS_CREDENTIALS: 'spare.creds',
    MUSTER_RUN: 'agent-1/health-prober/0/4',
  };
  const text = 'id: main\nenvironment: production\nbus: {url: nats://other:4222, creds: main.creds}\n';
  expect(readProberConfig(text, 'prober.yaml', { ...around, env })).toMatchObject({
    config: {
      id: 'spare',
      environment: 'staging',
      servers: ['tls://bus1:4222', 'tls://bus2:4222'],
      credentialsFile: '/srv/muster/spare.creds',
      stateDir: '/var/lib/muster/prober-spare',
      musterRun: 'agent-1/health-prober/0/4',
    },
  });
});

test.each([
  ['interval: 0', `prober.yaml:1:11: 'interval' is 0;`],
  ['attempts: many', `prober.yaml:1:11: 'attempts' is "many"; write a whole number from 1 to 100`],
  ['bus: {url: http://bus}', 'write nats://host:port or tls://host:port'],
  ['bus: {url: nats://user:secret@bus}', 'write nats://host:port or tls://host:port'],
  ['retries: 5', `prober.yaml:1:1: unknown key "retries"; did you mean 'attempts'?`],
  ['targets: {deny: [10.0.0.1/8]}', `'targets.deny.0' is "10.0.0.1/8"; write an address, or a network like 10.0.0.0/8`],
  ['targets: {allow: [metadata.internal]}', 'write an address, or a network like 10.0.0.0/8 or fd00::/8'],
  ['targets: {allow: 10.0.0.0/8}', 'write a list of addresses and networks'],
  ['targets: {allow: ["::ffff:127.0.0.1"]}', 'leave it out: a loopback address is probed for'],
  ['- list', 'write a map of "key: value" lines'],
])('%s is refused with its place', (text, expected) => {
  const reading = readProberConfig(text, 'prober.yaml', around);
  const told = 'errors' in reading ? reading.errors.map(formatDiagnostic).join('\n') : '';
  expect(told).toContain(expected);
  expect(told).not.toContain('secret');
});
