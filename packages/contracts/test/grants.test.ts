/* What the root signs, as files: grants in the creds files, and the list of revoked keys. No bus. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseCredentials } from '@muster/contracts/bus';
import { credentialsFile } from '@muster/contracts/files';
import {
  beginRotation,
  type Identity,
  type MintOptions,
  mintKeys,
  readRevocations,
  revoke,
} from '@muster/contracts/keys';
import { type TemporaryDirectory, temporaryDirectory } from '@muster/testkit';
import { createUser, fmtCreds, fromSeed, parseCreds } from '@nats-io/jwt';
import { credsAuthenticator } from '@nats-io/transport-node';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readGrant } from '../src/bus/trust/grant.ts';
import { signerFrom, verifierFrom } from '../src/bus/trust/nkey.ts';
import { bytesToSign } from '../src/bus/trust/signed-text.ts';

const environment = 'test';
const WEB1 = { role: 'agent', id: 'web1' } as const;
const ADA = { role: 'operator', id: 'ada' } as const;
const REVOKER = fileURLToPath(import.meta.resolve('./fixtures/revoker.mjs'));

let directory: TemporaryDirectory;
beforeEach(async () => {
  directory = await temporaryDirectory();
});
afterEach(() => directory[Symbol.asyncDispose]());

function mint(options: Partial<MintOptions> = {}) {
  return mintKeys({ directory: directory.path, environment, identities: [WEB1, ADA], ...options });
}

const read = async (identity: Identity) => {
  const text = await readFile(credentialsFile(directory.path, identity), 'utf8');
  const credentials = parseCredentials(text);
  return { text, credentials, roots: credentials.roots.map(verifierFrom) };
};

async function keyOf(identity: Identity): Promise<string> {
  const { credentials } = await read(identity);
  return signerFrom(credentials.seed).publicKey;
}

test('each creds file holds a grant for its own key, and the root that signed it', async () => {
  await mint();
  for (const [identity, hosts] of [
    [WEB1, ['web1']],
    [ADA, 'all'],
  ] as const) {
    const { credentials, roots } = await read(identity);
    const granted = readGrant(credentials.grant ?? '', environment, roots);
    expect(granted).toMatchObject({ ok: true, value: { ...identity, hosts, key: await keyOf(identity) } });
    expect(readGrant(credentials.grant ?? '', 'production', roots)).toMatchObject({
      ok: false,
      reason: "it is for environment 'test'",
    });
  }
});

test('NATS clients read their own blocks, and skip ours', async () => {
  await mint();
  const { text, credentials } = await read(WEB1);
  const bytes = new TextEncoder().encode(text);
  expect(await parseCreds(bytes)).toMatchObject({ key: credentials.seed, jwt: credentials.jwt });
  expect(credsAuthenticator(bytes)('nonce')).toMatchObject({ nkey: await keyOf(WEB1), jwt: credentials.jwt });
});

test('files of an older version get grant and root, and keep their key and JWT', async () => {
  await mint();
  const before = await read(WEB1);
  const { seed, jwt } = before.credentials;
  const older = new TextDecoder().decode(fmtCreds(jwt, fromSeed(new TextEncoder().encode(seed))));
  expect(parseCredentials(older)).toEqual({ seed, jwt, grant: undefined, roots: [] });
  const file = credentialsFile(directory.path, WEB1);
  await writeFile(file, older);
  expect((await mint()).created).toEqual([file]);
  const { credentials } = await read(WEB1);
  expect(credentials).toMatchObject({ seed, jwt, roots: before.credentials.roots });
  expect((await mint()).created).toEqual([]);
});

test('who is given other hosts gets another grant for the same key', async () => {
  await mint();
  const before = await read(ADA);
  await mint({ identities: [{ ...ADA, hosts: ['web1', 'web2'] }] });
  const after = await read(ADA);
  expect(after.credentials.seed).toBe(before.credentials.seed);
  expect(readGrant(after.credentials.grant ?? '', environment, after.roots)).toMatchObject({
    value: { hosts: ['web1', 'web2'] },
  });
});

test('a further root is trusted while the root is being replaced', async () => {
  await mint();
  const { credentials } = await read(WEB1);
  const [old = ''] = credentials.roots;
  await beginRotation(directory.path, 'root');
  await mint();
  const { credentials: renewed, roots } = await read(WEB1);
  expect(renewed.roots).toHaveLength(2);
  expect(renewed.roots[1]).toBe(old);
  expect(readGrant(credentials.grant ?? '', environment, roots).ok, 'an old grant, to the renewed').toBe(true);
  expect(readGrant(renewed.grant ?? '', environment, roots.slice(1)).ok, 'a new grant, to the old').toBe(false);
});

test('a grant that was changed, cut or signed by another is none, and nothing throws', async () => {
  await mint();
  const { credentials, roots } = await read(WEB1);
  const grant = credentials.grant ?? '';
  const [payload = '', signature = ''] = grant.split('.');
  const forged = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object;
  const raised = Buffer.from(JSON.stringify({ ...forged, role: 'admin', hosts: 'all' })).toString('base64url');
  const own = signerFrom(credentials.seed);
  const selfSigned = own.sign(bytesToSign('grant', payload, Buffer.alloc(0)));
  const foreign = [
    `${raised}.${signature}`,
    `${payload}.${selfSigned}`,
    `${payload}.${signature}=`,
    `${payload}.${signature.slice(0, -1)}`,
    `${payload}.`,
    payload,
    `${grant}.x`,
    '',
    '.',
    '\u{1f511}.\u{1f511}',
  ];
  for (const text of foreign) expect(readGrant(text, environment, roots).ok, text).toBe(false);
  expect(readGrant(grant, environment, roots).ok).toBe(true);
  expect(readGrant(grant, environment, []).ok).toBe(false);
});

test('what a client signs to log in is never a signature of ours', async () => {
  await mint();
  const { text, credentials } = await read(ADA);
  const verifier = verifierFrom(await keyOf(ADA));
  const stolen = bytesToSign('request', 'muster.v1.test.command.web1.stop', Buffer.from('{}'));
  // A server may choose any text as the nonce.
  const nonce = new TextDecoder().decode(stolen);
  const login = credsAuthenticator(new TextEncoder().encode(text))(nonce);
  const signature = Buffer.from((login as { sig: string }).sig, 'base64').toString('base64url');
  expect(verifier.verifies(new TextEncoder().encode(nonce), signature), 'it did sign the nonce').toBe(true);
  expect(verifier.verifies(stolen, signature)).toBe(false);
  expect(verifier.verifies(stolen, signerFrom(credentials.seed).sign(stolen))).toBe(true);
});

test('revoked keys are on a list that only grows, and are not used again', async () => {
  await mint();
  const { credentials } = await read(WEB1);
  const key = await keyOf(WEB1);
  const entry = { key, identity: 'agent/web1', reason: 'removed' };
  const first = await revoke({ directory: directory.path, environment, keys: [entry] });
  expect(first.list.revoked).toMatchObject([entry]);
  expect(await revoke({ directory: directory.path, environment, keys: [entry] })).toEqual(first);
  expect(await readRevocations(directory.path, environment, credentials.roots)).toEqual(first);

  // The server learns of it from the account's JWT.
  const changed = [join(directory.path, 'account.jwt'), credentialsFile(directory.path, WEB1)];
  expect((await mint()).created).toEqual(changed);
  expect(await keyOf(WEB1)).not.toBe(key);
  const second = await revoke({
    directory: directory.path,
    environment,
    keys: [{ key: await keyOf(WEB1), identity: 'agent/web1', reason: 'removed again' }],
  });
  expect(second.list.version).toBeGreaterThan(first.list.version);
  expect(second.list.revoked.map(({ key: one }) => one)).toEqual([key, second.list.revoked[1]?.key]);
});

test('of many who revoke at once, in this process and in others, nobody loses what another revoked', async () => {
  await mint();
  const names = (who: string) => Array.from({ length: 12 }, (_, index) => `agent/${who}-${index}`);
  const revokeAll = (who: string) => names(who).map((identity) => revokeOne(identity));
  const revokeOne = (identity: string) =>
    revoke({
      directory: directory.path,
      environment,
      keys: [{ key: createUser().getPublicKey(), identity, reason: 'x' }],
    });
  const others = ['one', 'two'].map(async (who) => {
    const order = { directory: directory.path, environment, identities: names(who) };
    const child = spawn(process.execPath, [REVOKER, JSON.stringify(order)], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    expect(await once(child, 'exit')).toEqual([0, null]);
  });
  const [lists] = await Promise.all([Promise.all(revokeAll('here')), ...others]);
  expect(new Set(lists.map(({ list }) => list.version)).size).toBe(lists.length);
  const { roots } = (await read(WEB1)).credentials;
  const revoked = (await readRevocations(directory.path, environment, roots))?.list.revoked ?? [];
  expect(revoked.map(({ identity }) => identity).sort()).toEqual(
    [...names('here'), ...names('one'), ...names('two')].sort(),
  );
  expect((await readdir(directory.path)).filter((name) => name.includes('lock'))).toEqual([]);
});

test('a lock whose holder died holds nobody up', async () => {
  await mint();
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  await writeFile(join(directory.path, 'keys.lock'), `${child.pid} ${hostname()}\n`);
  const entry = { key: createUser().getPublicKey(), identity: 'agent/web1', reason: 'removed' };
  const [one, two] = await Promise.all(
    [1, 2].map(() => revoke({ directory: directory.path, environment, keys: [entry] })),
  );
  expect(one).toEqual(two);
});

test('nothing is revoked without the root, or with a list that it did not sign', async () => {
  await expect(revoke({ directory: directory.path, environment, keys: [] })).rejects.toThrow(
    /cannot revoke: there is no 'root.nk' in .*: run it where the keys of the bus are/,
  );
  await mint();
  await writeFile(join(directory.path, 'revocations.signed'), 'e30.AAAA');
  await expect(mint()).rejects.toThrow(/cannot read '.*revocations.signed': it is not signed by/);
});
