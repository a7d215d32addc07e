/* `muster bus server` and `muster bus leaf`: files of a cluster and of a site, on the machine that has the keys. No network. */
import { X509Certificate } from 'node:crypto';
import { cp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TemporaryDirectory, temporaryDirectory } from '@muster/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { readSettings } from '../src/config.ts';
import { runProgram } from '../src/program.ts';
import { Terminal } from '../src/terminal.ts';

const DIR = '/etc/muster';
const WHERE = ['--listen', '10.0.0.1:4222', '--store', '/var/lib/nats'];
const CLUSTER = [...WHERE, '--cluster', '10.0.0.1:6222', '--route', '10.0.0.2:6222', '--leafnodes', '10.0.0.1:7422'];
const LEAF = ['--listen', '10.8.0.1:4222', '--hub', '10.0.0.1:7422', '--hub', '10.0.0.2:7422'];

/** With the keys of a bus, and nothing else. */
let fresh: TemporaryDirectory;
let home: TemporaryDirectory;
let keysDir: string;

beforeAll(async () => {
  fresh = await temporaryDirectory();
  await run(fresh.path, 'bus', 'keys');
});
afterAll(() => fresh[Symbol.asyncDispose]());
beforeEach(async () => {
  home = await temporaryDirectory();
  keysDir = join(home.path, 'state/keys');
  await cp(fresh.path, home.path, { recursive: true });
});
afterEach(() => home[Symbol.asyncDispose]());

/** In this process: nothing of it needs one of its own. */
async function run(directory: string, ...args: readonly string[]) {
  const written = { stdout: '', stderr: '' };
  const into = (name: keyof typeof written) => ({
    write: (text: string) => {
      written[name] += text;
      return true;
    },
  });
  const env = { MUSTER_STATE_DIR: join(directory, 'state'), MUSTER_CONFIG_DIR: join(directory, 'config') };
  const context = {
    terminal: new Terminal(into('stdout'), into('stderr'), {}),
    stdin: process.stdin,
    signal: new AbortController().signal,
    readSettings: (flags: Parameters<typeof readSettings>[0]) => readSettings(flags, { ...env, MUSTER_HOST: 'web1' }),
  };
  const code = await runProgram(args, context, 'of the test');
  return { code, ...written };
}

const muster = (...args: readonly string[]) => run(home.path, ...args);

/** What became of each file, by its name. */
async function write(...args: readonly string[]) {
  const { code, stdout, stderr } = await muster('bus', ...args);
  if (code !== 0) throw new Error(stderr);
  const files = new Map(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' '))
      .map(([what = '', path = '']) => [path.slice(path.lastIndexOf('/') + 1), { what, path }] as const),
  );
  const config = [...files.values()].at(-1)?.path ?? '';
  return { files, config, text: await readFile(config, 'utf8'), stderr };
}

const certificate = async (name: string) => new X509Certificate(await readFile(join(keysDir, `${name}.crt`)));

describe('bus server', () => {
  test('every listener beyond loopback is given TLS, with the paths of the machine that it is for', async () => {
    const { text, files, stderr, config } = await write('server', 'n1', ...CLUSTER, '--dir', DIR);
    const tls = `tls { cert_file: "${DIR}/server-n1.crt", key_file: "${DIR}/server-n1.key", ca_file: "${DIR}/ca.crt", verify: true`;
    expect(text.split(tls)).toHaveLength(4);
    expect(text).toMatch(/^listen: "10\.0\.0\.1:4222"$/mu);
    expect(text).toMatch(/^ {2}listen: "10\.0\.0\.1:6222"\n {2}tls /mu);
    expect(text).toMatch(/^ {2}listen: "10\.0\.0\.1:7422"\n {2}tls /mu);
    expect(text).toContain('server_name: "muster-development-n1"');
    expect(text).not.toContain(keysDir);
    expect([...files.keys()]).toEqual(['ca.crt', 'server-n1.crt', 'server-n1.key', 'n1.conf']);
    expect(stderr).toContain(`copy these 4 files to ${DIR} on its machine, mode 0600`);
    expect(stderr).toContain(`nats-server -c ${DIR}/n1.conf`);
    for (const { path } of files.values()) expect((await stat(path)).mode & 0o077).toBe(0);
    expect(config).toBe(join(home.path, 'state/nats/n1.conf'));
  });

  test('the password is the same for all of a cluster, and is not printed', async () => {
    const [n1, n2] = [await write('server', 'n1', ...CLUSTER), await write('server', 'n2', ...CLUSTER)];
    const passwordOf = (text: string) => /password: "(.+?)"/u.exec(text)?.[1] ?? '';
    expect(passwordOf(n1.text)).toHaveLength(32);
    expect(passwordOf(n2.text)).toBe(passwordOf(n1.text));
    expect([...n1.files.keys()].join() + n1.stderr).not.toContain(passwordOf(n1.text));
  });

  test('the certificate is for its addresses and names, both ways, and kept until a name is missing', async () => {
    expect((await write('server', 'n1', ...CLUSTER)).files.get('server-n1.crt')?.what).toBe('created');
    const first = await certificate('server-n1');
    expect(first.subjectAltName).toBe('IP Address:10.0.0.1');
    expect([...first.keyUsage].sort()).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
    expect((await write('server', 'n1', ...CLUSTER)).files.get('server-n1.crt')?.what).toBe('kept');
    const named = [...CLUSTER, '--name', 'db1.example.org', '--name', 'fd00::1'];
    expect((await write('server', 'n1', ...named)).files.get('server-n1.crt')?.what).toBe('created');
    const second = await certificate('server-n1');
    expect(second.checkHost('db1.example.org')).toBeDefined();
    expect(second.checkIP('fd00::1')).toBeDefined();
    expect((await write('server', 'n1', ...named)).files.get('server-n1.key')?.what).toBe('kept');
  });

  test('on loopback there is no TLS, unless it is asked for', async () => {
    const plain = ['--listen', '127.0.0.1:4222', '--store', '/var/lib/nats', '--cluster', '127.0.0.1:6222'];
    const { text, files } = await write('server', 'n1', ...plain, '--route', '127.0.0.1:6223');
    expect(text).not.toContain('tls');
    expect([...files.keys()]).toEqual(['n1.conf']);
    const asked = await write('server', 'n1', ...plain, '--route', 'tls://127.0.0.1:6223');
    expect(asked.text).toMatch(/^ {2}listen: "127\.0\.0\.1:6222"\n {2}tls /mu);
    expect(asked.text.split('tls {')).toHaveLength(2);
  });

  test.each([
    [['--listen', '0.0.0.0:4222', '--store', '/s'], "'0.0.0.0' is every address, .* with --name"],
    [[...WHERE, '--route', '10.0.0.9:6222'], '--route is for a cluster: say with --cluster'],
    [[...WHERE, '--dir', 'etc/muster'], 'Write the whole path'],
    [[...WHERE, '--name', 'db1:4222'], 'Write a name or an address without a port'],
    [['--listen', 'nats://10.0.0.1:4222', '--store', '/s'], 'Write address:port'],
  ])('%j is wrong use', async (args, expected) => {
    const { code, stderr } = await muster('bus', 'server', 'n1', ...args);
    expect(stderr).toMatch(new RegExp(expected, 'u'));
    expect(code).toBe(2);
  });

  test('every address will do, with a name', async () => {
    await write('server', 'n1', '--listen', '0.0.0.0:4222', '--store', '/s', '--name', 'db1.example.org');
    expect((await certificate('server-n1')).subjectAltName).toBe('DNS:db1.example.org');
  });
});

describe('bus leaf', () => {
  test('TLS for the clients of the site and towards the hub', async () => {
    const { text, files, stderr } = await write('leaf', 'berlin', ...LEAF, '--dir', DIR);
    expect(text).toContain('urls: ["tls://10.0.0.1:7422", "tls://10.0.0.2:7422"]');
    expect(text.split(`tls { cert_file: "${DIR}/leaf-berlin.crt"`)).toHaveLength(3);
    expect(text).toContain(`credentials: "${DIR}/leaf-berlin.creds"`);
    expect(text).not.toContain('jetstream');
    expect([...files.keys()]).toEqual([
      'leaf-berlin.creds',
      'ca.crt',
      'leaf-berlin.crt',
      'leaf-berlin.key',
      'leaf-berlin.conf',
    ]);
    expect(stderr).toContain(`copy these 5 files to ${DIR}`);
    expect((await certificate('leaf-berlin')).subjectAltName).toBe('IP Address:10.8.0.1');
  });

  test('a hub on loopback is plain, unless tls:// says that it is the end of a tunnel', async () => {
    const where = ['--listen', '127.0.0.1:4222', '--hub'];
    expect((await write('leaf', 'berlin', ...where, '127.0.0.1:7422')).text).not.toContain('tls {');
    const { text } = await write('leaf', 'berlin', ...where, 'tls://127.0.0.1:7422');
    expect(text).toContain('urls: ["tls://127.0.0.1:7422"]');
    expect(text.split('tls {')).toHaveLength(2);
  });
});

describe('what hangs on the certificates of servers elsewhere', () => {
  beforeEach(async () => {
    await write('server', 'n1', ...CLUSTER);
    await write('leaf', 'berlin', ...LEAF);
  });

  test('the identities of this machine have certificates as well', async () => {
    const files = await readdir(keysDir);
    expect(files).toEqual(expect.arrayContaining(['admin-setup.crt', 'dashboard-main.crt', 'prober-main.key']));
    expect(files).not.toContain('server.crt');
  });

  test('bus keys makes a lost one anew, with the names that it had, and says where it belongs', async () => {
    expect((await muster('bus', 'keys')).stderr).toBe('');
    await rm(join(keysDir, 'server-n1.key'));
    const { stderr } = await muster('bus', 'keys');
    expect(stderr).toBe(
      'copy ca.crt, server-n1.crt and server-n1.key to that server again, then send its nats-server HUP\n',
    );
    expect((await certificate('server-n1')).subjectAltName).toBe('IP Address:10.0.0.1');
  });

  test('rotate ca: in between the old authority has signed what servers show; then the new one has', async () => {
    const advice = (file: string) => `copy ca.crt, ${file}.crt and ${file}.key to that server again`;
    const before = await certificate('server-n1');
    const begun = await muster('bus', 'rotate', 'ca');
    expect(begun.stderr).toContain(advice('server-n1'));
    expect(begun.stderr).toContain(advice('leaf-berlin'));
    expect((await certificate('server-n1')).serialNumber).toBe(before.serialNumber);
    const finished = await muster('bus', 'rotate', 'ca', '--finish');
    expect(finished.stderr).toContain(advice('server-n1'));
    const ca = await certificate('ca');
    for (const file of ['server-n1', 'leaf-berlin', 'admin-setup']) {
      expect((await certificate(file)).verify(ca.publicKey)).toBe(true);
    }
  });

  test('rotate operator: the configurations must be written again', async () => {
    const { stderr } = await muster('bus', 'rotate', 'operator');
    expect(stderr).toContain('write the configurations of leaf-berlin, server-n1 again (muster bus server');
  });

  test('host add: the line holds the authority, and an address is one that a server shows a certificate for', async () => {
    const urls = ['tls://10.0.0.1:4222', 'tls://10.8.0.1:4222'].join(',');
    const { code, stdout } = await muster('host', 'add', 'web2', '--url', urls);
    expect(code).toBe(0);
    await using joined = await temporaryDirectory();
    const file = join(joined.path, 'web2.join');
    await writeFile(file, stdout);
    expect(await run(joined.path, 'join', '--file', file)).toMatchObject({ code: 0 });
    expect(await readFile(join(joined.path, 'config/agent.yaml'), 'utf8')).toContain(`url: ${urls}`);
    const ca = await readFile(join(joined.path, 'state/joined/ca.crt'), 'utf8');
    expect(ca).toBe(await readFile(join(keysDir, 'ca.crt'), 'utf8'));

    const other = await muster('host', 'add', 'web3', '--url', 'tls://10.0.0.7:4222');
    expect(other.stderr).toMatch(/the bus has no certificate for '10\.0\.0\.7': .* with --name/u);
    const plain = await muster('host', 'add', 'web3', '--url', 'nats://10.0.0.1:4222');
    expect(plain.stderr).toContain("the bus speaks TLS only at '10.0.0.1': write tls:// instead of");
  });
});
