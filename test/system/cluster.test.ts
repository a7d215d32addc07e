/**
 * The bus as it grows: three servers that keep everything three times, and a site's own server that keeps nothing. All as
 * `muster bus server` and `muster bus leaf` write them, and over TLS.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import type { InstanceEvent } from '@muster/contracts';
import { rows, streamName } from '@muster/contracts';
import { type Bus, BusRefusedError, PermissionDeniedError } from '@muster/contracts/bus';
import { FleetClient } from '@muster/contracts/client';
import {
  eventually,
  freePort,
  type NatsCluster,
  seededRandom,
  startNatsCluster,
  startNatsServer,
  temporaryDirectory,
} from '@muster/testkit';
import { expect, test } from 'vitest';
import { joinFleet, mintFleetKeys, openFleetBus, setUpFleetBus } from './hub.ts';
import { expectWholeStory, Ledger } from './ledger.ts';
import { newSeed } from './seed.ts';
import { ROOT_DIR } from './support.ts';

const environment = 'test';
const MUSTER = path.join(ROOT_DIR, 'packages/cli/bin/muster.mjs');
const LOOPBACK = '127.0.0.1';
const SERVERS = 3;
const LEADER_KILLS = 2;
/** A new leader takes 4 to 6 s on an idle machine. */
const NEW_LEADER_WITHIN_MS = 60_000;

/** As on more than loopback. */
const TLS_HOST = `tls://${LOOPBACK}`;

/** What `muster bus <args>` writes. */
async function configFrom(keysDir: string, ...args: readonly string[]): Promise<string> {
  const out = path.join(keysDir, '..', 'server.conf');
  const env = {
    ...process.env,
    MUSTER_STATE_DIR: path.dirname(keysDir),
    MUSTER_CONFIG_DIR: path.join(keysDir, 'none'),
  };
  await promisify(execFile)(process.execPath, [MUSTER, '--env', environment, 'bus', ...args, '--out', out], { env });
  return await readFile(out, 'utf8');
}

function tlsUrl(url: string): string {
  return url.replace('nats:', 'tls:');
}

async function startCluster(keysDir: string): Promise<NatsCluster> {
  await mintFleetKeys(keysDir, ['web1']);
  const cluster = await startNatsCluster(SERVERS, async ({ name, port, clusterPort, clusterPorts, storeDir }) => {
    const others = clusterPorts.filter((other) => other !== clusterPort);
    const routes = others.flatMap((other) => ['--route', `${TLS_HOST}:${other}`]);
    const where = ['--listen', `${TLS_HOST}:${port}`, '--cluster', `${TLS_HOST}:${clusterPort}`, '--store', storeDir];
    return await configFrom(keysDir, 'server', name, ...where, ...routes);
  });
  await setUpFleetBus(keysDir, urlsOf(cluster), SERVERS);
  return cluster;
}

function urlsOf({ urls }: NatsCluster): readonly string[] {
  return urls.map(tlsUrl);
}

interface StreamState {
  readonly config: { readonly num_replicas: number };
  readonly cluster?: { readonly leader?: string; readonly replicas?: readonly { readonly current: boolean }[] };
}

function eventsStream(admin: Bus): Promise<StreamState> {
  return admin.callJetStream<StreamState>(`STREAM.INFO.${streamName(environment, 'events')}`);
}

/** Of the stream of events, once all its replicas are up to date. */
function healthyLeader(admin: Bus): Promise<string> {
  return eventually(
    async () => {
      const { cluster } = await eventsStream(admin);
      const isCurrent = cluster?.replicas?.length === SERVERS - 1 && cluster.replicas.every(({ current }) => current);
      return isCurrent ? cluster.leader : undefined;
    },
    { message: 'a leader and current replicas', timeoutMs: NEW_LEADER_WITHIN_MS },
  );
}

// On a busy machine each election takes its time.
test('three servers, and the leader is killed: publishers wait for the next, nothing is lost or doubled', {
  timeout: 360_000,
}, async () => {
  const random = seededRandom(newSeed('cluster'));
  await using home = await temporaryDirectory();
  await using files = await temporaryDirectory();
  const keysDir = path.join(home.path, 'keys');
  await using cluster = await startCluster(keysDir);
  await using admin = await openFleetBus(keysDir, urlsOf(cluster), { role: 'admin', id: 'setup' });
  const ledger = new Ledger(files.path, ['alpha', 'beta']);
  await using system = await joinFleet(keysDir, urlsOf(cluster).join(','), { host: 'web1', services: ledger.services });
  await ledger.settled(system);
  await expectWholeStory(ledger, system, admin);
  expect((await eventsStream(admin)).config.num_replicas).toBe(SERVERS);
  await expect(openFleetBus(keysDir, cluster.urls, { role: 'admin', id: 'setup' })).rejects.toThrow(BusRefusedError);
  // A set-up that does not say how many leaves it as it is.
  await setUpFleetBus(keysDir, urlsOf(cluster));
  expect((await eventsStream(admin)).config.num_replicas).toBe(SERVERS);

  for (let kill = 0; kill < LEADER_KILLS; kill += 1) {
    const leader = await healthyLeader(admin);
    const { server } = cluster.nodes.find(({ name }) => `muster-${environment}-${name}` === leader) ?? {};
    if (server === undefined) throw new Error(`no server is named '${leader}'`);
    await admin.connected(AbortSignal.timeout(NEW_LEADER_WITHIN_MS));
    await ledger.crash(random);
    await server.kill();
    const killedAtMs = performance.now();
    for (let crash = 0; crash < 3; crash += 1) await ledger.crash(random);
    await ledger.settled(system);
    await ledger.delivered(system, admin);
    console.log(`cluster: leader killed -> all events stored after ${Math.round(performance.now() - killedAtMs)} ms`);
    await expectWholeStory(ledger, system, admin);
    await server.restart();
  }
  await ledger.crash(random);
  await ledger.settled(system);
  await expectWholeStory(ledger, system, admin);
});

test('a site with a server of its own: a leaf node without JetStream passes everything on', async () => {
  await using home = await temporaryDirectory();
  await using files = await temporaryDirectory();
  const keysDir = path.join(home.path, 'keys');
  await mintFleetKeys(keysDir, ['web1']);
  const leafnodes = `${TLS_HOST}:${await freePort()}`;
  await using hubStore = await temporaryDirectory();
  // The test's servers are given ports of their own beside the configuration.
  const where = ['--listen', `${TLS_HOST}:4222`];
  const hubConfig = await configFrom(
    keysDir,
    'server',
    'hub',
    ...where,
    '--store',
    hubStore.path,
    '--leafnodes',
    leafnodes,
  );
  await using hub = await startNatsServer({ config: hubConfig, storeDir: hubStore.path });
  await setUpFleetBus(keysDir, tlsUrl(hub.url));
  const leafConfig = await configFrom(keysDir, 'leaf', 'berlin', ...where, '--hub', leafnodes);
  await using leaf = await startNatsServer({ config: leafConfig, jetstream: false });

  const random = seededRandom(newSeed('leaf'));
  const ledger = new Ledger(files.path, ['alpha']);
  await using system = await joinFleet(keysDir, tlsUrl(leaf.url), { host: 'web1', services: ledger.services });
  await using bus = await openFleetBus(keysDir, tlsUrl(hub.url), { role: 'operator', id: 'cli' });
  using client = new FleetClient({ bus, actor: 'leaf test', timeoutMs: 30_000 });
  await ledger.settled(system);
  await expectWholeStory(ledger, system, bus);
  await eventually(() => client.host('web1').isAlive, { message: 'web1 heard at the hub', timeoutMs: 60_000 });
  expect(await client.agents.status('web1')).toMatchObject({ outcome: 'accepted' });

  // The site is on its own, and comes back.
  await hub.kill();
  for (let crash = 0; crash < 3; crash += 1) await ledger.crash(random);
  await ledger.settled(system);
  await hub.restart();
  await bus.connected(AbortSignal.timeout(60_000));
  await expectWholeStory(ledger, system, bus);

  // A reader at the site reads the hub's streams; an agent there still may do nothing but its own work.
  await using reader = await openFleetBus(keysDir, tlsUrl(leaf.url), { role: 'operator', id: 'cli' });
  const events = await reader.history(rows.instanceEvent, { host: 'web1' });
  expect(events.map(({ message }): InstanceEvent['service'] => message.service)).toContain('alpha');
  await using agent = await openFleetBus(keysDir, tlsUrl(leaf.url), { role: 'agent', id: 'web1' });
  await expect(agent.history(rows.instanceEvent, {})).rejects.toThrow(PermissionDeniedError);
});
