/** The bus as it grows: three servers that keep everything three times, and a site's own server that keeps nothing. */
import type { InstanceEvent } from '@muster/contracts';
import { rows, streamName } from '@muster/contracts';
import {
  leafCredentialsFile,
  leafServerConfig,
  type NatsBus,
  natsServerConfig,
  PermissionDeniedError,
} from '@muster/contracts/bus';
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

const environment = 'test';
const LOOPBACK = '127.0.0.1';
const SERVERS = 3;
const LEADER_KILLS = 2;
/** A new leader takes 4 to 6 s on an idle machine. */
const NEW_LEADER_WITHIN_MS = 60_000;

async function startCluster(keysDir: string): Promise<NatsCluster> {
  const trust = await mintFleetKeys(keysDir, ['web1']);
  const cluster = await startNatsCluster(SERVERS, ({ name, port, clusterPort, clusterPorts, storeDir }) =>
    natsServerConfig({
      environment,
      host: LOOPBACK,
      port,
      storeDir,
      trust,
      serverName: name,
      cluster: {
        listen: { host: LOOPBACK, port: clusterPort },
        routes: clusterPorts.map((route) => ({ host: LOOPBACK, port: route })),
        password: 'of-the-test',
      },
    }),
  );
  await setUpFleetBus(keysDir, cluster.urls, SERVERS);
  return cluster;
}

interface StreamState {
  readonly config: { readonly num_replicas: number };
  readonly cluster?: { readonly leader?: string; readonly replicas?: readonly { readonly current: boolean }[] };
}

function eventsStream(admin: NatsBus): Promise<StreamState> {
  return admin.callJetStream<StreamState>(`STREAM.INFO.${streamName(environment, 'events')}`);
}

/** Of the stream of events, once all its replicas are up to date. */
function healthyLeader(admin: NatsBus): Promise<string> {
  return eventually(
    async () => {
      const { cluster } = await eventsStream(admin);
      const isCurrent = cluster?.replicas?.length === SERVERS - 1 && cluster.replicas.every(({ current }) => current);
      return isCurrent ? cluster.leader : undefined;
    },
    { message: 'a leader and current replicas', timeoutMs: NEW_LEADER_WITHIN_MS },
  );
}

test('three servers, and the leader is killed: publishers wait for the next, nothing is lost or doubled', async () => {
  const random = seededRandom(newSeed('cluster'));
  await using keys = await temporaryDirectory();
  await using files = await temporaryDirectory();
  await using cluster = await startCluster(keys.path);
  await using admin = await openFleetBus(keys.path, cluster.urls, { role: 'admin', id: 'setup' });
  const ledger = new Ledger(files.path, ['alpha', 'beta']);
  await using system = await joinFleet(keys.path, cluster.urls.join(','), { host: 'web1', services: ledger.services });
  await ledger.settled(system);
  await expectWholeStory(ledger, system, admin);
  expect((await eventsStream(admin)).config.num_replicas).toBe(SERVERS);
  // A set-up that does not say how many leaves it as it is.
  await setUpFleetBus(keys.path, cluster.urls);
  expect((await eventsStream(admin)).config.num_replicas).toBe(SERVERS);

  for (let kill = 0; kill < LEADER_KILLS; kill += 1) {
    const leader = await healthyLeader(admin);
    const { server } = cluster.nodes.find(({ name }) => name === leader) ?? {};
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
  await using keys = await temporaryDirectory();
  await using files = await temporaryDirectory();
  const trust = await mintFleetKeys(keys.path, ['web1'], ['berlin']);
  const leafPort = await freePort();
  await using hubStore = await temporaryDirectory();
  const hubConfig = natsServerConfig({
    environment,
    host: LOOPBACK,
    port: 4222,
    storeDir: hubStore.path,
    trust,
    leafNodes: { host: LOOPBACK, port: leafPort },
  });
  await using hub = await startNatsServer({ config: hubConfig, storeDir: hubStore.path });
  await setUpFleetBus(keys.path, hub.url);
  const leafConfig = leafServerConfig({
    environment,
    site: 'berlin',
    host: LOOPBACK,
    port: 4222,
    hub: [{ host: LOOPBACK, port: leafPort }],
    credentialsFile: leafCredentialsFile(keys.path, 'berlin'),
    trust,
  });
  await using leaf = await startNatsServer({ config: leafConfig, jetstream: false });

  const random = seededRandom(newSeed('leaf'));
  const ledger = new Ledger(files.path, ['alpha']);
  await using system = await joinFleet(keys.path, leaf.url, { host: 'web1', services: ledger.services });
  await using bus = await openFleetBus(keys.path, hub.url, { role: 'operator', id: 'cli' });
  using client = new FleetClient({ bus, actor: 'leaf test' });
  await ledger.settled(system);
  await expectWholeStory(ledger, system, bus);
  await eventually(() => client.host('web1').isHeard, { message: 'web1 heard at the hub' });
  expect(await client.status('web1')).toMatchObject({ outcome: 'accepted' });

  // The site is on its own, and comes back.
  await hub.kill();
  for (let crash = 0; crash < 3; crash += 1) await ledger.crash(random);
  await ledger.settled(system);
  await hub.restart();
  await bus.connected(AbortSignal.timeout(60_000));
  await expectWholeStory(ledger, system, bus);

  // A reader at the site reads the hub's streams; an agent there still may do nothing but its own work.
  await using reader = await openFleetBus(keys.path, leaf.url, { role: 'operator', id: 'cli' });
  const events = await reader.history(rows.instanceEvent, { host: 'web1' });
  expect(events.map(({ message }): InstanceEvent['service'] => message.service)).toContain('alpha');
  await using agent = await openFleetBus(keys.path, leaf.url, { role: 'agent', id: 'web1' });
  await expect(agent.history(rows.instanceEvent, {})).rejects.toThrow(PermissionDeniedError);
});
