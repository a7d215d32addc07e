/** The authority of all certificates is replaced under a cluster that works, with the commands and copies that the guide names. */
import { execFile } from 'node:child_process';
import { copyFile, mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { streamName } from '@muster/contracts';
import type { Bus } from '@muster/contracts/bus';
import { eventually, seededRandom, startNatsCluster, temporaryDirectory } from '@muster/testkit';
import { expect, test } from 'vitest';
import { joinFleet, mintFleetKeys, openFleetBus, setUpFleetBus } from './hub.ts';
import { expectWholeStory, Ledger } from './ledger.ts';
import { newSeed } from './seed.ts';
import { ROOT_DIR } from './support.ts';

const ENVIRONMENT = 'test';
const MUSTER = path.join(ROOT_DIR, 'packages/cli/bin/muster.mjs');
const SERVERS = 3;
const TLS_HOST = 'tls://127.0.0.1';
const SETTLES_WITHIN_MS = 60_000;

test('a new authority, server by server: nobody is locked out on the way, and the old one counts for nothing', async () => {
  const random = seededRandom(newSeed('cluster-keys'));
  await using home = await temporaryDirectory();
  await using files = await temporaryDirectory();
  const keysDir = path.join(home.path, 'keys');
  /** Where a server's files lie on "its machine". */
  const folderOf = (name: string) => path.join(home.path, 'machines', name);
  const copyTo = async (name: string) => {
    await mkdir(folderOf(name), { recursive: true });
    for (const file of ['ca.crt', `server-${name}.crt`, `server-${name}.key`]) {
      await copyFile(path.join(keysDir, file), path.join(folderOf(name), file));
    }
  };
  await mintFleetKeys(keysDir, ['web1']);
  await using cluster = await startNatsCluster(SERVERS, async ({ name, port, clusterPort, clusterPorts, storeDir }) => {
    const out = path.join(home.path, `${name}.conf`);
    const routes = clusterPorts
      .filter((other) => other !== clusterPort)
      .flatMap((at) => ['--route', `${TLS_HOST}:${at}`]);
    const where = ['--listen', `${TLS_HOST}:${port}`, '--cluster', `${TLS_HOST}:${clusterPort}`, '--store', storeDir];
    await muster(keysDir, 'server', name, ...where, ...routes, '--dir', folderOf(name), '--out', out);
    await copyTo(name);
    return await readFile(out, 'utf8');
  });
  const urls = cluster.urls.map((url) => url.replace('nats:', 'tls:'));
  await setUpFleetBus(keysDir, urls, SERVERS);
  await using admin = await openFleetBus(keysDir, urls, { role: 'admin', id: 'setup' });
  const ledger = new Ledger(files.path, ['alpha']);
  await using system = await joinFleet(keysDir, urls.join(','), { host: 'web1', services: ledger.services });
  await ledger.settled(system);
  const oldKeysDir = path.join(home.path, 'old-keys');
  await copyKeys(keysDir, oldKeysDir);

  for (const step of [[], ['--finish']]) {
    const told = await muster(keysDir, 'rotate', 'ca', ...step);
    for (const { name } of cluster.nodes)
      expect(told).toContain(`copy ca.crt, server-${name}.crt and server-${name}.key`);
    // As the guide says: all of them first, then one after the other.
    for (const { name } of cluster.nodes) await copyTo(name);
    for (const { server } of cluster.nodes) {
      await server.kill('SIGHUP');
      await ledger.crash(random);
      await ledger.settled(system);
    }
    await copiesAreCurrent(admin);
    await ledger.delivered(system, admin);
  }

  // Links that are made anew, by each server in turn, have only the new authority to go by.
  for (const { server } of cluster.nodes) {
    await server.restart();
    await copiesAreCurrent(admin);
  }
  await ledger.crash(random);
  await ledger.settled(system);
  await expectWholeStory(ledger, system, admin);
  await openFleetBus(keysDir, urls, { role: 'operator', id: 'cli' }).then((bus) => bus.drain());
  await expect(openFleetBus(oldKeysDir, urls, { role: 'operator', id: 'cli' })).rejects.toThrow(
    'of no authority that is trusted here',
  );
});

/** `muster bus …`, on the machine that has the keys. What it says. */
async function muster(keysDir: string, ...args: readonly string[]): Promise<string> {
  const env = {
    ...process.env,
    MUSTER_STATE_DIR: path.dirname(keysDir),
    MUSTER_CONFIG_DIR: path.join(keysDir, 'none'),
  };
  const line = [MUSTER, '--env', ENVIRONMENT, 'bus', ...args];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, line, { env });
  return stdout + stderr;
}

/** What a client has that never heard of the new authority. */
async function copyKeys(from: string, to: string): Promise<void> {
  await mkdir(to);
  for (const file of ['operator-cli.creds', 'ca.crt', 'operator-cli.crt', 'operator-cli.key']) {
    await copyFile(path.join(from, file), path.join(to, file));
  }
}

/** The servers talk to each other: of what is stored each has all. */
async function copiesAreCurrent(admin: Bus): Promise<void> {
  await eventually(
    async () => {
      const { cluster } = await admin.callJetStream<{
        readonly cluster?: { readonly leader?: string; readonly replicas?: readonly { readonly current: boolean }[] };
      }>(`STREAM.INFO.${streamName(ENVIRONMENT, 'events')}`);
      return cluster?.replicas?.length === SERVERS - 1 && cluster.replicas.every(({ current }) => current);
    },
    { message: 'current copies', timeoutMs: SETTLES_WITHIN_MS },
  );
}
