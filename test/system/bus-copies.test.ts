/** What a look at a cluster tells of the copies of its streams, as its servers are stopped one after the other. */
import { type CopyInspection, inspectStreams } from '@muster/contracts/admin';
import { natsServerConfig } from '@muster/contracts/keys';
import { eventually, startNatsCluster, temporaryDirectory } from '@muster/testkit';
import { expect, test } from 'vitest';
import { mintFleetKeys, openFleetBus, setUpFleetBus } from './hub.ts';

const environment = 'test';
const LOOPBACK = '127.0.0.1';
const ELECTION_MS = 60_000;

test('a server that is stopped is told by each stream that it keeps, and by the one that is left', async () => {
  await using keys = await temporaryDirectory();
  const trust = await mintFleetKeys(keys.path, []);
  await using cluster = await startNatsCluster(3, async ({ name, port, clusterPort, clusterPorts, storeDir }) =>
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
  await setUpFleetBus(keys.path, cluster.urls, 3);
  const [n1, n2, n3] = cluster.nodes.map(({ server }) => server);
  await using admin = await openFleetBus(keys.path, n1?.url ?? '', { role: 'admin', id: 'setup' });
  const copiesOf = async (server: string): Promise<readonly CopyInspection[]> =>
    (await inspectStreams(admin)).flatMap(({ copies }) => copies.filter((copy) => copy.server === server));
  // A stream that just chooses its leader tells of no copies.
  const streams = await eventually(
    async () => {
      const all = await inspectStreams(admin);
      expect(all.map(({ copies }) => copies.length)).toEqual(all.map(() => 2));
      return all;
    },
    { message: 'two copies of each stream beside its leader', timeoutMs: ELECTION_MS },
  );

  await n3?.stop();
  // What it led is led by another, which then misses it.
  await eventually(async () => (await copiesOf('n3')).filter(({ isOffline }) => isOffline).length === streams.length, {
    message: 'all its copies are missed',
    timeoutMs: ELECTION_MS,
  });
  expect((await copiesOf('n2')).some(({ isOffline }) => isOffline)).toBe(false);

  await n2?.stop();
  // It answers for itself on each version, whether it knows yet that it leads no more.
  await eventually(
    async () =>
      (await inspectStreams(admin)).every(({ copies }) => copies.filter((copy) => copy.isOffline).length === 2),
    { message: 'two copies of each stream are missed', timeoutMs: ELECTION_MS },
  );
});
