/* `muster host remove` and `muster bus rotate` against a real nats-server with keys, and an agent that exists on the bus only. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { keys } from '@muster/contracts';
import { openBus } from '@muster/contracts/bus';
import { credentialsFile } from '@muster/contracts/files';
import { publicKeyIn } from '@muster/contracts/keys';
import { eventually } from '@muster/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runCli } from './run-cli.ts';
import { startTestBus, type TestBus } from './test-bus.ts';

let bus: TestBus;
beforeEach(async () => {
  bus = await startTestBus();
});
afterEach(() => bus[Symbol.asyncDispose]());

const muster = (...args: string[]) => runCli(args, bus.env);
const add = (host: string) => muster('host', 'add', host, '--url', bus.url, '--json');

function openAgent(id: string, credentials?: string) {
  const own = { servers: bus.url, environment: 'development', role: 'agent', id } as const;
  const file = credentialsFile(bus.keysDir, { role: 'agent', id });
  return openBus(credentials === undefined ? { ...own, credentialsFile: file } : { ...own, credentials });
}

test('a removed host is cut off at once, and for good; added again it is let in', async () => {
  expect(await add('web2')).toMatchObject({ code: 0 });
  const creds = await readFile(join(bus.keysDir, 'agent-web2.creds'), 'utf8');
  await using web2 = openAgent('web2', creds);
  await using web1 = openAgent('web1');
  await Promise.all([web1, web2].map((agent) => agent.connected(AbortSignal.timeout(20_000))));
  const since = web1.connectedSinceMs;
  const closed = new Promise<string>((resolve) => {
    web2.onConnection(({ connected, reason }) => !connected && resolve(reason));
  });

  const { code, stdout, stderr } = await muster('host', 'remove', 'web2');
  expect({ code, stderr }).toMatchObject({ code: 0 });
  expect(stdout).toBe("'web2' is removed: its connection is closed, and its credentials are void\n");
  expect(await closed).toMatch(/revoked/iu);
  expect(web1.connectedSinceMs).toBe(since);
  await expect(web2.connected(AbortSignal.timeout(20_000))).rejects.toThrow(/uthori[sz]ation/u);

  // Also after a restart: the server's configuration says it.
  const config = await readFile(join(bus.env['MUSTER_STATE_DIR'] ?? '', 'nats/nats.conf'), 'utf8');
  await bus.server.restart({ config });
  await using stale = openAgent('web2', creds);
  await expect(stale.connected(AbortSignal.timeout(20_000))).rejects.toThrow(/uthori[sz]ation/u);

  // Once more goes on where it may have broken off; nobody else was touched.
  const again = await muster('host', 'remove', 'web2', '--json');
  expect(JSON.parse(again.stdout)).toEqual({ host: 'web2', servers: ['muster-development'], stored: 'no-prober' });
  const added = await add('web2');
  expect(JSON.parse(added.stdout)).toMatchObject({ host: 'web2', isNew: true });
  await using renewed = openAgent('web2');
  await renewed.connected(AbortSignal.timeout(20_000));
});

test('added again, a host has a new key: who has the earlier line is cut off at once, and nothing that it signs counts', async () => {
  await add('web2');
  const creds = join(bus.keysDir, 'agent-web2.creds');
  const earlier = await readFile(creds, 'utf8');
  await using thief = openAgent('web2', earlier);
  await using web1 = openAgent('web1');
  await Promise.all([web1, thief].map((agent) => agent.connected(AbortSignal.timeout(20_000))));
  const since = web1.connectedSinceMs;
  const closed = new Promise<string>((resolve) => {
    thief.onConnection(({ connected, reason }) => !connected && resolve(reason));
  });
  // The line anew, of the same key: nobody is disturbed.
  const key = await publicKeyIn(creds);
  expect(await muster('host', 'add', 'web2', '--url', bus.url, '--keep-key')).toMatchObject({ code: 0 });
  expect(thief.isConnected).toBe(true);

  const again = await muster('host', 'add', 'web2', '--url', bus.url);
  expect(again, again.stderr).toMatchObject({ code: 0 });
  expect(again.stderr).toContain('told nats-server muster-development, and everybody who might believe it');
  expect(await closed).toMatch(/revoked/iu);
  await expect(thief.connected(AbortSignal.timeout(20_000))).rejects.toThrow(/uthori[sz]ation/u);
  await using renewed = openAgent('web2');
  await renewed.connected(AbortSignal.timeout(20_000));
  expect(web1.connectedSinceMs).toBe(since);
  // What programs are told of who is believed no more.
  await using setup = openBus({
    servers: bus.url,
    environment: 'development',
    role: 'admin',
    id: 'setup',
    credentialsFile: join(bus.keysDir, 'admin-setup.creds'),
  });
  await setup.connected(AbortSignal.timeout(20_000));
  const told = setup.revocations.read((await setup.kv('config').get(keys.revocations()))?.value.content ?? '');
  expect(told.ok && told.value.revoked.map((entry) => entry.key)).toEqual([key]);
});

test('without a bus what is on disk is done, and what is left is said', async () => {
  await add('web2');
  await bus.server.stop();
  const { code, stderr } = await muster('host', 'remove', 'web2');
  expect(stderr).toContain("the credentials of 'web2' are void");
  expect(stderr).toMatch(/cannot tell the running bus: .*: restart nats-server, or do this again when the bus is up/u);
  expect(code).toBe(3);
  await bus.server.restart();
  expect(await muster('host', 'remove', 'web2')).toMatchObject({ code: 0 });
});

test('keys are replaced in two steps, and the hosts that must be told are named', async () => {
  await add('web2');
  await using web1 = openAgent('web1');
  await web1.connected(AbortSignal.timeout(20_000));
  const since = web1.connectedSinceMs;
  const begun = await muster('bus', 'rotate', 'account', '--json');
  expect(begun, begun.stderr).toMatchObject({ code: 0 });
  expect(JSON.parse(begun.stdout)).toEqual({ key: 'account', step: 'begun', hosts: ['web2'] });
  expect(web1.connectedSinceMs).toBe(since);
  const twice = await muster('bus', 'rotate', 'account');
  expect(twice).toMatchObject({ code: 1, stderr: expect.stringContaining('under way already: end it with --finish') });
  const finished = await muster('bus', 'rotate', 'account', '--finish');
  expect(finished).toMatchObject({ code: 0, stdout: "'account' is replaced\n" });
  await eventually(() => web1.isConnected && web1.connectedSinceMs !== since, { message: 'the agent, back again' });

  // The key of one program: its connection is closed, and it comes back with the new one.
  const backSince = web1.connectedSinceMs;
  expect(await muster('bus', 'rotate', 'agent-web1')).toMatchObject({ code: 0 });
  expect(web1.connectedSinceMs).toBe(backSince);
  expect(await muster('bus', 'rotate', 'agent-web1', '--finish')).toMatchObject({ code: 0 });
  await eventually(() => web1.isConnected && web1.connectedSinceMs !== backSince, {
    message: 'the agent, with its new key',
  });
});
