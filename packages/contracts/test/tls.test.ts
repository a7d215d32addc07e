/* TLS against a real nats-server, with the certificates and the configuration that `muster bus keys` makes. */
import { X509Certificate } from 'node:crypto';
import { cp, mkdir, readdir, readFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { TlsFiles } from '@muster/contracts';
import { openBus } from '@muster/contracts/bus';
import { credentialsFile, tlsFilesBeside } from '@muster/contracts/files';
import {
  beginRotation,
  CERTIFICATE_LIFETIME_DAYS,
  type Identity,
  mintCertificates,
  mintKeys,
  natsServerConfig,
  RENEW_BEFORE_DAYS,
  serverTlsFiles,
} from '@muster/contracts/keys';
import {
  eventually,
  type NatsServer,
  startNatsServer,
  type TemporaryDirectory,
  temporaryDirectory,
} from '@muster/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

const environment = 'test';
const AGENT: Identity = { role: 'agent', id: 'web1' };
const DAY_MS = 86_400_000;
const LOCAL_NAMES = ['localhost', '127.0.0.1', '::1'];

function mint(directory: string, options: { now?: Date; serverNames?: readonly string[] } = {}) {
  return mintCertificates({ directory, environment, identities: [AGENT], serverNames: LOCAL_NAMES, ...options });
}

async function endOf(file: string): Promise<number> {
  return Date.parse(new X509Certificate(await readFile(file)).validTo);
}

describe('certificates', () => {
  let directory: TemporaryDirectory;
  beforeEach(async () => {
    directory = await temporaryDirectory();
  });
  afterEach(() => directory[Symbol.asyncDispose]());

  test('are made once, readable by their owner only, and kept', async () => {
    const first = await mint(directory.path);
    expect(first.kept).toEqual([]);
    expect(first.created.map((file) => file.slice(directory.path.length + 1)).sort()).toEqual([
      'agent-web1.crt',
      'agent-web1.key',
      'ca.crt',
      'ca.key',
      'server.crt',
      'server.key',
    ]);
    for (const file of await readdir(directory.path)) {
      expect((await stat(join(directory.path, file))).mode & 0o777).toBe(0o600);
    }
    expect((await mint(directory.path)).created).toEqual([]);
  });

  test('one that ends within 30 days is made anew, by the same authority', async () => {
    const { certFile, caFile } = serverTlsFiles(directory.path);
    await mint(directory.path);
    const ca = await readFile(caFile, 'utf8');
    const end = await endOf(certFile);
    const early = new Date(end - (RENEW_BEFORE_DAYS + 1) * DAY_MS);
    expect((await mint(directory.path, { now: early })).created).toEqual([]);
    const late = new Date(end - (RENEW_BEFORE_DAYS - 1) * DAY_MS);
    expect((await mint(directory.path, { now: late })).created).toContain(certFile);
    expect(await endOf(certFile)).toBeGreaterThan(end);
    expect(await readFile(caFile, 'utf8')).toBe(ca);
  });

  test('whatever interrupts the beginning of a replacement, the old authority counts on', async () => {
    const { caFile } = serverTlsFiles(directory.path);
    await mint(directory.path);
    const old = (await readFile(caFile, 'utf8')).trim();
    // No file can take the place of a directory: the key stays where it is.
    await mkdir(join(directory.path, 'ca.key.old'));
    await expect(beginRotation(directory.path, 'ca')).rejects.toThrow(/EISDIR|ENOTEMPTY|EEXIST/);
    await mint(directory.path);
    expect(await readFile(caFile, 'utf8')).toContain(old);
    expect((await readFile(caFile, 'utf8')).match(/BEGIN/g)).toHaveLength(2);
  });

  test('the server gets one more name; the others keep what they have', async () => {
    await mint(directory.path);
    const { certFile, keyFile } = serverTlsFiles(directory.path);
    const serverNames = [...LOCAL_NAMES, 'bus.example.org', 'fd00::1'];
    expect([...(await mint(directory.path, { serverNames })).created].sort()).toEqual([certFile, keyFile]);
    expect((await mint(directory.path, { serverNames })).created).toEqual([]);
  });
});

describe('a server that speaks TLS', () => {
  let home: TemporaryDirectory;
  let own: string;
  let stranger: string;
  let server: NatsServer;

  beforeAll(async () => {
    home = await temporaryDirectory();
    own = join(home.path, 'own');
    stranger = join(home.path, 'stranger');
    await mint(own);
    await mint(stranger);
    server = await startServer(own);
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    await home[Symbol.asyncDispose]();
  });

  async function startServer(directory: string, { isPlain = false } = {}): Promise<NatsServer> {
    const { trust } = await mintKeys({ directory, environment, identities: [AGENT] });
    const tls = isPlain ? {} : { tls: serverTlsFiles(directory) };
    const storeDir = join(directory, 'jetstream');
    // The test server is given a port of its own beside the configuration.
    const config = natsServerConfig({ environment, host: '127.0.0.1', port: 4222, storeDir, trust, ...tls });
    return await startNatsServer({ config, storeDir });
  }

  function open(url: string, { directory = own, tls }: { directory?: string; tls?: TlsFiles } = {}) {
    const file = credentialsFile(directory, AGENT);
    return openBus({ servers: url, credentialsFile: file, environment, ...AGENT, ...(tls !== undefined && { tls }) });
  }

  const over = (scheme: string, { port }: NatsServer, host = '127.0.0.1') => `${scheme}://${host}:${port}`;

  test.each(['127.0.0.1', 'localhost'])('lets in who has a certificate of the same authority: %s', async (host) => {
    await using bus = open(over('tls', server, host));
    await bus.connected(AbortSignal.timeout(20_000));
    await expect(bus.flush()).resolves.toBeUndefined();
  });

  test('the files may be named, wherever they are', async () => {
    const tls = tlsFilesBeside(credentialsFile(own, AGENT));
    await using bus = open(over('nats', server), { tls });
    await bus.connected(AbortSignal.timeout(20_000));
    expect(bus.isConnected).toBe(true);
  });

  const ownFiles = () => tlsFilesBeside(credentialsFile(own, AGENT));
  const foreignFiles = () => tlsFilesBeside(credentialsFile(stranger, AGENT));

  test.each<[string, string, () => TlsFiles | undefined, RegExp]>([
    [
      'another CA',
      'tls',
      () => ({ ...ownFiles(), caFile: foreignFiles().caFile }),
      /'tls:\/\/127\.0\.0\.1:\d+': its certificate is of no authority that is trusted here .*: name the file .* in bus\.tls\.ca/,
    ],
    ['the public CAs', 'tls', () => ({}), /its certificate is of no authority that is trusted here/],
    [
      'no certificate of its own',
      'tls',
      () => ({ caFile: ownFiles().caFile }),
      /it wants a certificate of its own CA and was shown none \((bad certificate|certificate required|unknown ca)\): name one, .* in bus\.tls\.cert/,
    ],
    [
      'a certificate of another CA',
      'tls',
      () => ({ ...foreignFiles(), caFile: ownFiles().caFile }),
      /it wants a certificate of its own CA and was shown none \((bad certificate|certificate required|unknown ca)\): name one, .* in bus\.tls\.cert/,
    ],
    ['no TLS', 'nats', () => undefined, /it wants TLS: write tls:\/\/ instead of nats:\/\//],
    ['a file that is not there', 'tls', () => ({ caFile: '/nowhere/ca.crt' }), /cannot read '\/nowhere\/ca\.crt'/],
  ])('a client with %s is refused with the reason', async (_what, scheme, tls, expected) => {
    const files = tls();
    await using bus = open(over(scheme, server), files === undefined ? {} : { tls: files });
    await expect(bus.connected(AbortSignal.timeout(20_000))).rejects.toThrow(expected);
  });

  test('a client that wants TLS does not talk to a server without', async () => {
    await using plain = await startServer(own, { isPlain: true });
    await using bus = open(over('tls', plain));
    await expect(bus.connected(AbortSignal.timeout(20_000))).rejects.toThrow(/it does not speak TLS: write nats:\/\//);
  });

  test('a certificate for another name is refused, by address and by name', async () => {
    const directory = join(home.path, 'named');
    await mint(directory, { serverNames: ['bus.example.org', '127.0.0.2'] });
    await using named = await startServer(directory);
    await using byAddress = open(over('tls', named), { directory });
    await expect(byAddress.connected(AbortSignal.timeout(20_000))).rejects.toThrow(
      /its certificate is not for '127\.0\.0\.1' but for bus\.example\.org, 127\.0\.0\.2: .*bus\.names/,
    );
    await using byName = open(over('tls', named, 'localhost'), { directory });
    await expect(byName.connected(AbortSignal.timeout(20_000))).rejects.toThrow(/not for 'localhost'/);
  });

  test('the address of a server is compared with its certificate, not `localhost`', async () => {
    const directory = join(home.path, 'localhost-only');
    await mint(directory, { serverNames: ['localhost'] });
    await using named = await startServer(directory);
    await using bus = open(over('tls', named), { directory });
    await expect(bus.connected(AbortSignal.timeout(20_000))).rejects.toThrow(
      /not for '127\.0\.0\.1' but for localhost/,
    );
  });

  test('an expired certificate is refused; a renewed one is let in', async () => {
    const directory = join(home.path, 'expired');
    await mint(directory, { now: new Date(Date.now() - (CERTIFICATE_LIFETIME_DAYS + 1) * DAY_MS) });
    await using old = await startServer(directory);
    await using bus = open(over('tls', old), { directory });
    await expect(bus.connected(AbortSignal.timeout(20_000))).rejects.toThrow(/its certificate has expired: .*bus keys/);
    await mint(directory);
    // Files are read for each connection, also by the server: on HUP.
    await old.kill('SIGHUP');
    await eventually(() => bus.isConnected, { message: 'a connection with the renewed certificate' });
  });

  test('files that come later are used without a restart', async () => {
    const directory = join(home.path, 'later');
    await cp(own, directory, { recursive: true });
    const { caFile } = tlsFilesBeside(credentialsFile(directory, AGENT));
    await rename(caFile, `${caFile}.aside`);
    await using bus = open(over('tls', server), { directory });
    await expect(bus.connected(AbortSignal.timeout(20_000))).rejects.toThrow(/of no authority that is trusted/);
    await rename(`${caFile}.aside`, caFile);
    await eventually(() => bus.isConnected, { message: 'a connection with the file that came' });
  });
});
