/*
 * Every key is replaced under a running bus, over TLS, while an operator goes on commanding an agent. A connection may
 * break and be made again where a server restarts; an answer that is not the agent's word is never one.
 */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { commands } from '@muster/contracts';
import { pushAccount } from '@muster/contracts/admin';
import {
  BusAwayError,
  type NatsBus,
  NoResponderError,
  openBus,
  parseCredentials,
  RequestTimeoutError,
} from '@muster/contracts/bus';
import { credentialsFile } from '@muster/contracts/files';
import {
  beginRotation,
  finishRotation,
  type Identity,
  identitiesIn,
  mintCertificates,
  mintKeys,
  natsServerConfig,
  type Rotatable,
  readRevocations,
  replaceOperator,
  revoke,
  serverTlsFiles,
} from '@muster/contracts/keys';
import {
  eventually,
  type NatsServer,
  startNatsServer,
  type TemporaryDirectory,
  temporaryDirectory,
} from '@muster/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sampleRequest } from './golden.ts';

const environment = 'test';
const WEB1: Identity = { role: 'agent', id: 'web1' };
const ADA: Identity = { role: 'operator', id: 'ada', hosts: ['web1'] };
const ADMIN: Identity = { role: 'admin', id: 'setup' };
const HOST = { host: 'web1' };
const ASK_EVERY_MS = 20;

let directory: string;
let home: TemporaryDirectory;
let server: NatsServer;
let agent: NatsBus;
let operator: NatsBus;
let traffic: Traffic;

beforeEach(async () => {
  home = await temporaryDirectory();
  directory = home.path;
  const config = await mint([WEB1, ADA, ADMIN]);
  server = await startNatsServer({ config, storeDir: `${directory}/jetstream` });
  agent = open(WEB1);
  agent.respond(commands.stop, HOST, async ({ id, time }) => ({
    id: `reply-${id}`,
    time,
    source: 'agent/web1',
    commandId: id,
    accepted: true,
    code: 'ok' as const,
    reason: 'stopping',
  }));
  operator = open(ADA);
  await Promise.all([agent, operator].map((bus) => bus.connected(AbortSignal.timeout(20_000))));
  await agent.flush();
  traffic = new Traffic();
});
afterEach(async () => {
  await traffic.stop();
  for (const bus of [operator, agent]) await bus[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
  const refused = [operator, agent].reduce((sum, { counters }) => sum + counters.forged + counters.refused, 0);
  if (traffic.wrong.length + refused > 0) {
    throw new Error(`${refused} messages were refused, and wrong were: ${traffic.wrong.map(String).join('; ')}`);
  }
});

/** What `muster bus keys` does; with the server's configuration. */
async function mint(identities?: readonly Identity[]): Promise<string> {
  const who = identities ?? (await identitiesIn(directory, environment));
  const { trust } = await mintKeys({ directory, environment, identities: who });
  await mintCertificates({ directory, environment, identities: who, serverNames: ['127.0.0.1'] });
  const storeDir = `${directory}/jetstream`;
  const tls = serverTlsFiles(directory);
  // The test server is given a port of its own beside the configuration.
  return natsServerConfig({ environment, host: '127.0.0.1', port: 4222, storeDir, trust, tls });
}

async function push(): Promise<void> {
  const { trust } = await mintKeys({ directory, environment, identities: [] });
  const [account = '', accountJwt = ''] =
    Object.entries(trust.accounts).find(([key]) => key !== trust.systemAccount) ?? [];
  const told = await pushAccount({
    directory,
    servers: [tlsUrl()],
    credentialsFile: credentialsFile(directory, ADMIN),
    account,
    accountJwt,
  });
  expect(told).toHaveLength(1);
}

function tlsUrl(): string {
  return server.url.replace('nats:', 'tls:');
}

function open(identity: Identity, credentials?: string): NatsBus {
  const { role, id } = identity;
  const own = { servers: tlsUrl(), credentialsFile: credentialsFile(directory, identity), environment, role, id };
  return openBus(credentials === undefined ? own : { ...own, credentials });
}

/** Lets in, with what the files say now. */
async function expectLetIn(identity: Identity): Promise<void> {
  await using bus = open(identity);
  await bus.connected(AbortSignal.timeout(20_000));
}

function read(identity: Identity): Promise<string> {
  return readFile(credentialsFile(directory, identity), 'utf8');
}

/** An operator who asks again and again. */
class Traffic {
  /** What was answered otherwise than by the agent's yes. */
  readonly wrong: unknown[] = [];
  #answered = 0;
  readonly #stop = new AbortController();
  readonly #over: Promise<void>;

  constructor() {
    this.#over = this.#run();
  }

  /** Questions that are asked after this call are answered. */
  async flows(): Promise<void> {
    const before = this.#answered;
    // The one under way may have been asked before.
    await eventually(() => this.#answered > before + 1, { message: 'commands that are answered' });
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#over;
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        const reply = await operator.request(commands.stop, HOST, sampleRequest('stop'), { timeoutMs: 2_000 });
        if (reply.accepted) this.#answered++;
        else this.wrong.push(reply);
      } catch (error) {
        if (!isAway(error)) this.wrong.push(error);
      }
      await delay(ASK_EVERY_MS, undefined, { signal: this.#stop.signal }).catch(() => {});
    }
  }
}

/** One of the two was just connecting again. */
function isAway(error: unknown): boolean {
  return error instanceof BusAwayError || error instanceof NoResponderError || error instanceof RequestTimeoutError;
}

/** Since when both are connected, to see whether a connection was lost. */
function connections(): readonly (number | undefined)[] {
  return [agent.connectedSinceMs, operator.connectedSinceMs];
}

test("the account's signing key: both count in between, and what the old one signed is void in the end", async () => {
  const before = connections();
  const old = await read(ADA);
  await beginRotation(directory, 'account');
  await mint();
  await push();
  expect(await read(ADA)).not.toBe(old);
  await traffic.flows();
  await expectLetIn(ADA);
  await using late = open(ADA, old);
  await late.connected(AbortSignal.timeout(20_000));
  expect(connections()).toEqual(before);
  await finishRotation(directory, environment, 'account');
  await mint();
  await push();
  // Who came with what the old one signed is sent away, and is back with what the new one signed.
  await traffic.flows();
  await expectLetIn(ADA);
  await using stale = open(ADA, old);
  await expect(stale.connected(AbortSignal.timeout(20_000))).rejects.toThrow(/uthori[sz]ation/);
});

test('the key of one identity: it comes back by itself with the new one, and the old one is void', async () => {
  const old = await read(WEB1);
  await beginRotation(directory, WEB1);
  await mint([WEB1]);
  await traffic.flows();
  expect(parseCredentials(await read(WEB1)).seed).not.toBe(parseCredentials(old).seed);
  const before = agent.connectedSinceMs;
  await finishRotation(directory, environment, WEB1);
  await mint();
  await push();
  await eventually(() => agent.connectedSinceMs !== undefined && agent.connectedSinceMs !== before, {
    message: 'a new connection of the agent',
  });
  await traffic.flows();
  await using stale = open(WEB1, old);
  await expect(stale.connected(AbortSignal.timeout(20_000))).rejects.toThrow(/uthori[sz]ation/);
});

test('the root: both count while it is being replaced, then only the new one; what was revoked stays so', async () => {
  const revoked = { key: `U${'A'.repeat(55)}`, identity: 'agent/gone', reason: 'host removed' };
  await revoke({ directory, environment, keys: [revoked] });
  const [old = ''] = parseCredentials(await read(ADA)).roots;
  await beginRotation(directory, 'root');
  await server.restart({ config: await mint() });
  await traffic.flows();
  expect(parseCredentials(await read(ADA)).roots).toEqual([expect.any(String), old]);
  await finishRotation(directory, environment, 'root');
  await server.restart({ config: await mint() });
  await traffic.flows();
  const { roots } = parseCredentials(await read(ADA));
  expect(roots).toEqual([expect.not.stringContaining(old)]);
  expect((await readRevocations(directory, environment, roots))?.list.revoked).toMatchObject([revoked]);
});

test('the authority of the certificates: both are trusted in between, and everybody follows', async () => {
  const { caFile } = serverTlsFiles(directory);
  const authorities = async () => (await readFile(caFile, 'utf8')).match(/BEGIN CERTIFICATE.*?-----[^-]+/gs) ?? [];
  const [old] = await authorities();
  await beginRotation(directory, 'ca');
  await mint();
  await server.kill('SIGHUP');
  await traffic.flows();
  expect(await authorities()).toEqual([expect.any(String), old]);
  await eventually(() => expectLetIn(ADA).then(() => true), {
    message: 'a certificate of the new authority is let in',
  });
  await finishRotation(directory, environment, 'ca');
  await mint();
  await server.kill('SIGHUP');
  await traffic.flows();
  await server.restart();
  await traffic.flows();
  expect(await authorities()).toEqual([expect.not.stringContaining(old ?? '')]);
});

test('the operator and the system account: everybody comes back by themselves to the restarted server', async () => {
  const before = await readFile(join(directory, 'operator.nk'), 'utf8');
  await replaceOperator(directory);
  await server.restart({ config: await mint() });
  await traffic.flows();
  await push();
  await traffic.flows();
  expect(await readFile(join(directory, 'operator.nk'), 'utf8')).not.toBe(before);
});

test('a step that does not fit is refused, and nothing is changed', async () => {
  const keys: readonly Rotatable[] = ['account', 'root', 'ca', WEB1];
  for (const key of keys) {
    await expect(finishRotation(directory, environment, key)).rejects.toThrow('none is under way');
    await beginRotation(directory, key);
    await mint([WEB1]);
    await expect(beginRotation(directory, key)).rejects.toThrow('under way already');
  }
  await rm(credentialsFile(directory, ADA));
  await expect(beginRotation(directory, ADA)).rejects.toThrow('nothing to replace');
});
