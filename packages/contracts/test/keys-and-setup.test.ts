import { chmod, copyFile, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bucketName, buckets, FLOOD_HEADROOM_BYTES, rows, streamDefinitions, streamName } from '@muster/contracts';
import { requiredStoreBytes, setupBus } from '@muster/contracts/admin';
import { openBus } from '@muster/contracts/bus';
import { credentialsFile } from '@muster/contracts/files';
import { type Identity, mintKeys, natsServerConfig, writeNatsServerConfig } from '@muster/contracts/keys';
import { startNatsServer, type TemporaryDirectory, temporaryDirectory } from '@muster/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sample, sampleValue } from './golden.ts';

const IDENTITIES: readonly Identity[] = [
  { role: 'admin', id: 'setup' },
  { role: 'agent', id: 'web1' },
];
const environment = 'test';

let directory: TemporaryDirectory;
beforeEach(async () => {
  directory = await temporaryDirectory();
});
afterEach(() => directory[Symbol.asyncDispose]());

function mint(identities = IDENTITIES) {
  return mintKeys({ directory: directory.path, environment, identities });
}

async function startSecuredServer() {
  const { trust } = await mint();
  const storeDir = join(directory.path, 'jetstream');
  // The test server is given a port of its own beside the configuration.
  const config = natsServerConfig({ environment, host: '127.0.0.1', port: 4222, storeDir, trust });
  return startNatsServer({ config, storeDir });
}

function open(url: string, identity: Identity) {
  const file = credentialsFile(directory.path, identity);
  return openBus({ servers: url, credentialsFile: file, environment, ...identity });
}

test('keys are made once, readable by their owner only, and kept', async () => {
  const first = await mint();
  expect(first.kept).toEqual([]);
  expect(first.created.map((file) => file.slice(directory.path.length + 1))).toEqual([
    'root.nk',
    'operator.nk',
    'account.nk',
    'account-signing.nk',
    'system.nk',
    'operator.jwt',
    'account.jwt',
    'system.jwt',
    'admin-setup.creds',
    'agent-web1.creds',
  ]);
  for (const file of await readdir(directory.path)) {
    expect((await stat(join(directory.path, file))).mode & 0o777).toBe(0o600);
  }
  const second = await mint();
  expect(second.created).toEqual([]);
  expect(second.trust).toEqual(first.trust);
});

test('a new identity leaves the others alone; changed permissions are signed again for the same key', async () => {
  await mint();
  const added = { role: 'observer', id: 'pager' } as const;
  expect((await mint([...IDENTITIES, added])).created).toEqual([credentialsFile(directory.path, added)]);

  // As an older version left it: signed for another environment.
  const file = credentialsFile(directory.path, { role: 'agent', id: 'web1' });
  await mintKeys({ directory: directory.path, environment: 'older', identities: IDENTITIES });
  const older = await readFile(file, 'utf8');
  expect((await mint()).created).toContain(file);
  const newer = await readFile(file, 'utf8');
  expect(newer).not.toBe(older);
  const seedOf = (creds: string) => /^SU[A-Z2-7]+$/m.exec(creds)?.[0];
  expect(seedOf(newer)).toBe(seedOf(older));
});

test('a spoilt key file is told, not replaced', async () => {
  await mint();
  const file = join(directory.path, 'account.nk');
  await chmod(file, 0o600);
  await writeFile(file, 'not a seed');
  await expect(mint()).rejects.toThrow(`cannot read the key file '${file}'`);
  expect(await readFile(file, 'utf8')).toBe('not a seed');
});

test('credentials of another bus are told, not replaced', async () => {
  await using other = await temporaryDirectory();
  const file = credentialsFile(directory.path, { role: 'agent', id: 'web1' });
  await mintKeys({ directory: other.path, environment, identities: IDENTITIES });
  await copyFile(credentialsFile(other.path, { role: 'agent', id: 'web1' }), file);
  const foreign = await readFile(file, 'utf8');
  await expect(mint()).rejects.toThrow(`cannot sign '${file}' again: another bus's account signed it: set bus.url in`);
  expect(await readFile(file, 'utf8')).toBe(foreign);
});

test('a host id that is not one gets no credentials', async () => {
  await expect(mint([{ role: 'agent', id: 'a.>' }])).rejects.toThrow(/must be 1 to 63/);
});

test('the configuration holds no secret and is written only when it differs', async () => {
  const { trust } = await mint();
  const file = join(directory.path, 'nats', 'nats.conf');
  const options = { environment, host: '::1', port: 4222, storeDir: '/var/lib/muster/jetstream', trust };
  expect(await writeNatsServerConfig(file, options)).toBe('written');
  expect(await writeNatsServerConfig(file, options)).toBe('unchanged');
  const text = await readFile(file, 'utf8');
  expect(text).toContain('listen: "[::1]:4222"');
  // Seeds begin with S.
  expect(text).not.toMatch(/\bS[OAU][A-Z2-7]{56}\b/);
});

test('a server with these keys lets the identities in, and nobody else', async () => {
  await using server = await startSecuredServer();
  await using admin = open(server.url, { role: 'admin', id: 'setup' });
  await admin.connected();
  await using stranger = openBus({ servers: server.url, environment, role: 'admin', id: 'setup' });
  await expect(stranger.connected()).rejects.toThrow(/cannot connect to the bus .*: check the credentials/);
});

test('setting up creates every stream and bucket, once', async () => {
  await using server = await startSecuredServer();
  await using admin = open(server.url, { role: 'admin', id: 'setup' });
  await admin.connected();
  const first = await setupBus(admin);
  const names = [
    ...streamDefinitions(environment).map(({ name }) => name),
    ...(Object.keys(buckets) as (keyof typeof buckets)[]).map((name) => `KV_${bucketName(environment, name)}`),
  ];
  expect(first).toEqual({ created: names, updated: [], unchanged: [] });
  expect(await setupBus(admin)).toEqual({ created: [], updated: [], unchanged: names });
});

test('what an older version left is migrated, and its data kept', async () => {
  await using server = await startSecuredServer();
  await using admin = open(server.url, { role: 'admin', id: 'setup' });
  await admin.connected();
  const name = streamName(environment, 'events');
  await admin.callJetStream(`STREAM.CREATE.${name}`, {
    name,
    subjects: [`muster.v1.${environment}.host.*.event`, `muster.v1.${environment}.old.>`],
    storage: 'file',
    max_age: 3_600_000_000_000,
    max_bytes: 1_000_000,
  });
  await admin.callJetStream(`STREAM.CREATE.KV_muster_test_config`, {
    name: 'KV_muster_test_config',
    subjects: ['$KV.muster_test_config.>'],
    max_msgs_per_subject: 1,
  });
  await using agent = open(server.url, { role: 'agent', id: 'web1' });
  await agent.connected();
  await agent.publishOrdered(rows.hostEvent, { host: 'web1' }, sample('hostEvent'), { expectedLastSeq: 0 });
  await admin.kv('config').put('services', sampleValue('config'));

  const { created, updated } = await setupBus(admin);
  expect(created).not.toContain(name);
  expect(updated).toEqual([
    `${name}: allow_direct, subjects, description, max_age, max_bytes, max_msg_size, max_msgs_per_subject`,
    'KV_muster_test_config: allow_direct, description, discard, max_bytes, max_msgs, max_msg_size, max_msgs_per_subject',
  ]);
  expect((await setupBus(admin)).updated).toEqual([]);
  expect(await admin.history(rows.hostEvent, {})).toMatchObject([{ seq: 1, params: { host: 'web1' } }]);
  expect(await admin.kv('config').get('services')).toMatchObject({ revision: 1 });
});

test('another retention is set in place, and what is stored stays as far as it fits', async () => {
  await using server = await startSecuredServer();
  await using admin = open(server.url, { role: 'admin', id: 'setup' });
  await admin.connected();
  await setupBus(admin);
  await using agent = open(server.url, { role: 'agent', id: 'web1' });
  await agent.connected();
  await agent.publishOrdered(rows.hostEvent, { host: 'web1' }, sample('hostEvent'), { expectedLastSeq: 0 });

  const name = streamName(environment, 'events');
  const retention = { events: { maxAgeSeconds: 86_400, maxBytes: 2_000_000 }, 'rollup-2h': { maxAgeSeconds: 7_200 } };
  const { created, updated } = await setupBus(admin, { retention });
  expect(created).toEqual([]);
  expect(updated).toEqual([`${name}: max_age, max_bytes`, `${streamName(environment, 'rollup-2h')}: max_age`]);
  expect((await setupBus(admin, { retention })).updated).toEqual([]);
  const { config } = await admin.callJetStream<{ config: unknown }>(`STREAM.INFO.${name}`);
  expect(config).toMatchObject({ max_age: 86_400 * 1e9, max_bytes: 2_000_000 + FLOOD_HEADROOM_BYTES });
  expect(await admin.history(rows.hostEvent, {})).toHaveLength(1);
  // And back to what it was.
  expect((await setupBus(admin)).updated).toHaveLength(2);
});

test('what the server must be allowed to store follows what the streams may hold', () => {
  const more = requiredStoreBytes(environment, { logs: { maxBytes: 2048 * 1024 ** 2 + 1 } });
  expect(more).toBe(requiredStoreBytes(environment) + 1);
});

test('a layout of a newer version is not changed back', async () => {
  await using server = await startSecuredServer();
  await using admin = open(server.url, { role: 'admin', id: 'setup' });
  await admin.connected();
  const name = streamName(environment, 'events');
  await admin.callJetStream(`STREAM.CREATE.${name}`, {
    name,
    subjects: ['muster.v1.test.host.*.event'],
    description: 'Muster test: events (layout 99)',
  });
  await expect(setupBus(admin)).rejects.toThrow(/layout 99.*newest version/);
});

test('a server that allows too little storage is told what to set', async () => {
  const { trust } = await mint();
  const config = natsServerConfig({ environment, host: '127.0.0.1', port: 4222, storeDir: directory.path, trust });
  await using server = await startNatsServer({
    config: config.replace(/max_file_store: \d+/, 'max_file_store: 1000000000'),
  });
  await using admin = open(server.url, { role: 'admin', id: 'setup' });
  await admin.connected();
  await expect(setupBus(admin)).rejects.toThrow(
    /cannot set up the stream '.*': .*: set 'max_file_store' .* to \d+ or more/,
  );
});
