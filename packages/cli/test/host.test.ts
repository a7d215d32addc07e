/* `muster host add` and `muster join`: files of two clones, and no network. */
import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseCredentials } from '@muster/contracts/bus';
import { publicKeyIn, readRevocations } from '@muster/contracts/keys';
import { eventually, startFixture, type TemporaryDirectory, temporaryDirectory } from '@muster/testkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { ROOT_DIR, runCli } from './run-cli.ts';

/** The configuration and the state of one clone. */
class Clone {
  readonly configDir: string;
  readonly stateDir: string;
  readonly #host: string;

  constructor(home: string, host: string) {
    this.configDir = join(home, host, 'config');
    this.stateDir = join(home, host, 'state');
    this.#host = host;
  }

  async writeAgentFile(text: string): Promise<void> {
    await mkdir(this.configDir, { recursive: true });
    await writeFile(join(this.configDir, 'agent.yaml'), text);
  }

  /** A file with the line, as somebody has carried it over. */
  async writeLine(line: string): Promise<string> {
    await mkdir(this.configDir, { recursive: true });
    const file = join(this.configDir, 'line');
    await writeFile(file, line, { mode: 0o600 });
    return file;
  }

  readAgentFile(): Promise<string> {
    return readFile(join(this.configDir, 'agent.yaml'), 'utf8');
  }

  run(args: readonly string[], input?: string) {
    const env = { MUSTER_CONFIG_DIR: this.configDir, MUSTER_STATE_DIR: this.stateDir };
    return runCli(args, this.#host === '' ? env : { ...env, MUSTER_HOST: this.#host }, input);
  }
}

const OPEN = 'bus: { listen: 0.0.0.0:4333, names: [bus.example.org] }\n';

let home: TemporaryDirectory;
let first: Clone;
let second: Clone;
beforeEach(async () => {
  home = await temporaryDirectory();
  first = new Clone(home.path, 'web1');
  second = new Clone(home.path, 'web2');
  await first.writeAgentFile(OPEN);
});
afterEach(() => home[Symbol.asyncDispose]());

async function addSecond(): Promise<string> {
  expect(await first.run(['bus', 'keys'])).toMatchObject({ code: 0 });
  const { code, stdout, stderr } = await first.run(['host', 'add', 'web2']);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  return stdout;
}

/** What the root has signed as void. */
async function revokedKeys({ stateDir }: Clone): Promise<string[]> {
  const directory = join(stateDir, 'keys');
  const { roots } = parseCredentials(await readFile(join(directory, 'admin-setup.creds'), 'utf8'));
  return (await readRevocations(directory, 'development', roots))?.list.revoked.map(({ key }) => key) ?? [];
}

describe('host add', () => {
  test('prints one line for muster join on the other host, and with --keep-key the same again', async () => {
    const line = await addSecond();
    expect(line).toMatch(/^muster1\.[\w-]+\n$/u);
    const again = await first.run(['host', 'add', 'web2', '--keep-key', '--json']);
    const { token, ...facts } = JSON.parse(again.stdout) as Record<string, unknown>;
    expect(facts).toEqual({ host: 'web2', url: 'tls://bus.example.org:4333', isNew: false });
    expect(token).toBe(line.trim());
    const unknown = await first.run(['host', 'add', 'web9', '--keep-key']);
    expect(unknown).toMatchObject({ code: 5, stderr: expect.stringContaining('no such host was added here') });
  });

  test('again makes the earlier line void, and says who could not be told of it', async () => {
    const line = await addSecond();
    const creds = join(first.stateDir, 'keys/agent-web2.creds');
    const [key, before] = [await publicKeyIn(creds), await readFile(join(first.stateDir, 'nats/nats.conf'), 'utf8')];
    // An address that is refused changes nothing.
    expect(await first.run(['host', 'add', 'web2', '--url', 'tls://elsewhere:4333'])).toMatchObject({ code: 1 });
    expect(await publicKeyIn(creds)).toBe(key);

    const again = await first.run(['host', 'add', 'web2']);
    expect(again.stderr).toContain("its earlier line is void: if 'web2' has joined, it is cut off until it joins");
    expect(again.stderr).toMatch(
      /the earlier line of 'web2' may still work: cannot tell the running bus: .*restart nats-server/u,
    );
    expect(again.code).toBe(3);
    expect(again.stdout).toMatch(/^muster1\.[\w-]+\n$/u);
    expect(again.stdout).not.toBe(line);
    expect(await publicKeyIn(creds)).not.toBe(key);
    expect(await revokedKeys(first)).toEqual([key]);
    // The next start of the server knows it.
    expect(await readFile(join(first.stateDir, 'nats/nats.conf'), 'utf8')).not.toBe(before);
    // That very line, for who could not be told then.
    const kept = await first.run(['host', 'add', 'web2', '--keep-key']);
    expect(kept.stdout).toBe(again.stdout);
  });

  test('in the middle of a rotation it voids both keys', async () => {
    await addSecond();
    const creds = join(first.stateDir, 'keys/agent-web2.creds');
    const keys = [await publicKeyIn(creds)];
    await first.run(['bus', 'rotate', 'agent-web2']);
    keys.push(await publicKeyIn(creds));
    await first.run(['host', 'add', 'web2']);
    expect((await revokedKeys(first)).sort()).toEqual(keys.sort());
  });

  test('a bus on loopback can be joined by nobody', async () => {
    await first.writeAgentFile('bus: { listen: 127.0.0.1:4333 }\n');
    await first.run(['bus', 'keys']);
    const { code, stdout, stderr } = await first.run(['host', 'add', 'web2']);
    expect(stderr).toContain(
      "muster: cannot add 'web2': the bus listens on 127.0.0.1 only: set bus.listen in config/agent.yaml to an address",
    );
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  });

  test('a clone without the keys of a bus makes none', async () => {
    const { code, stderr } = await first.run(['host', 'add', 'web2']);
    expect(stderr).toContain("cannot add 'web2': there are no keys of a bus in");
    expect(code).toBe(1);
    expect(await readdir(join(home.path, 'web1'))).toEqual(['config']);
  });

  test('a bus that was on loopback until now has no certificate yet', async () => {
    await first.writeAgentFile('bus: { listen: 127.0.0.1:4333 }\n');
    await first.run(['bus', 'keys']);
    await first.writeAgentFile(OPEN);
    const { code, stderr } = await first.run(['host', 'add', 'web2']);
    expect(stderr).toContain('the bus has no certificate yet: run npm start again');
    expect(code).toBe(1);
  });

  test('an address that the certificate is not for is refused', async () => {
    await first.run(['bus', 'keys']);
    const { code, stderr } = await first.run(['host', 'add', 'web2', '--url', 'tls://elsewhere.example.org:4333']);
    expect(stderr).toContain("the bus has no certificate for 'elsewhere.example.org': add it to bus.names");
    expect(code).toBe(1);
  });

  test.each([
    ['web1', 'that is this host'],
    ['Not/An/Id', 'Write 1 to 63 of a-z'],
  ])('%s is wrong use', async (host, expected) => {
    const { code, stderr } = await first.run(['host', 'add', host]);
    expect(stderr).toContain(expected);
    expect(code).toBe(2);
  });
});

describe('host remove', () => {
  test('a host that was never added is not found, and this one cannot be removed', async () => {
    await first.run(['bus', 'keys']);
    const unknown = await first.run(['host', 'remove', 'web9']);
    expect(unknown.stderr).toBe("muster: cannot remove 'web9': no such host was added here\n");
    expect(unknown.code).toBe(5);
    const own = await first.run(['host', 'remove', 'web1']);
    expect(own.stderr).toContain("cannot remove 'web1': that is this host");
    expect(own.code).toBe(2);
  });
});

describe('join', () => {
  test('writes keys that only their owner reads, and agent.yaml with its comments', async () => {
    const line = await addSecond();
    await second.writeAgentFile('# our own words\nmetrics: { interval: 5s } # often\n');
    const { code, stdout, stderr } = await second.run(['join'], line);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stdout).toContain("host 'web2' belongs to the bus at tls://bus.example.org:4333 now");
    expect(stderr).toContain('next: npm start');
    const joined = join(second.stateDir, 'joined');
    const files = ['agent-web2.creds', 'agent-web2.crt', 'agent-web2.key', 'ca.crt'];
    expect((await readdir(joined)).sort()).toEqual(files);
    for (const file of files) expect((await stat(join(joined, file))).mode & 0o777).toBe(0o600);
    expect(await readFile(join(joined, files[0] ?? ''))).toEqual(
      await readFile(join(first.stateDir, 'keys/agent-web2.creds')),
    );
    const text = await second.readAgentFile();
    expect(text).toContain('# our own words\nmetrics: { interval: 5s } # often\n');
    expect(parse(text)).toEqual({
      metrics: { interval: '5s' },
      environment: 'development',
      host: 'web2',
      bus: { url: 'tls://bus.example.org:4333', creds: join(joined, 'agent-web2.creds') },
    });
  });

  test('the agent.yaml of a fresh clone, which is all comments, keeps them', async () => {
    const line = await addSecond();
    const fresh = await readFile(new URL('../../../config/agent.yaml', import.meta.url), 'utf8');
    await second.writeAgentFile(fresh);
    expect(await second.run(['join', '--replace'], line)).toMatchObject({ code: 0 });
    const text = await second.readAgentFile();
    for (const comment of fresh.split('\n').filter((written) => written.startsWith('#')))
      expect(text).toContain(comment);
    const creds = join(second.stateDir, 'joined/agent-web2.creds');
    const bus = { url: 'tls://bus.example.org:4333', creds };
    expect(parse(text)).toEqual({ environment: 'development', host: 'web2', bus });
    // Once more changes nothing.
    expect(await second.run(['join'], line)).toMatchObject({ code: 0 });
    expect(await second.readAgentFile()).toBe(text);
  });

  test('a folder for keys that cannot be used leaves agent.yaml as it was', async () => {
    const line = await addSecond();
    await second.writeAgentFile('# ours\n');
    await mkdir(second.stateDir);
    await writeFile(join(second.stateDir, 'joined'), 'in the way');
    expect(await second.run(['join'], line)).toMatchObject({ code: 1 });
    expect(await second.readAgentFile()).toBe('# ours\n');
    expect(await readdir(second.configDir)).toEqual(['agent.yaml']);
  });

  test('an agent.yaml that is a link stays one, and keeps its mode', async () => {
    const line = await addSecond();
    await mkdir(second.configDir, { recursive: true });
    const real = join(home.path, 'real.yaml');
    await writeFile(real, '# ours\n', { mode: 0o640 });
    await symlink(real, join(second.configDir, 'agent.yaml'));
    expect(await second.run(['join'], line)).toMatchObject({ code: 0 });
    expect(parse(await readFile(real, 'utf8'))).toMatchObject({ host: 'web2' });
    expect((await stat(real)).mode & 0o777).toBe(0o640);
  });

  test('the line comes from a file, too, which is then to be deleted', async () => {
    const file = await second.writeLine(await addSecond());
    const { code, stderr } = await second.run(['join', '--file', file]);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stderr).toContain(`delete '${file}': whoever reads it is 'web2'`);
    const missing = await second.run(['join', '--file', `${file}.gone`]);
    expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining('ENOENT') });
  });

  const LINE = `muster1.${'k5JbZ'.repeat(400)}`;
  test.each([
    ['as it is', ['join', LINE]],
    ['with the words before it', ['join', 'npx', 'muster', 'join', LINE]],
    ['all in one', ['join', `npx muster join ${LINE}`]],
    ['as a file', ['join', '--file', LINE]],
    ['as the value of any option', ['status', `--creds=${LINE}`]],
    ['as a command', [LINE]],
    ['without its beginning', ['join', LINE.slice(-100)]],
  ])('an argument is refused, %s: it is leaked by then', async (_how, args) => {
    const { code, stdout, stderr } = await second.run(args);
    expect(stderr).toMatch(/^muster: a join line is taken from stdin or a file only: .*muster host add <host>/u);
    expect(stdout + stderr).not.toContain('k5JbZ');
    expect(code).toBe(2);
  });

  test('pasted into a terminal it is not shown', async () => {
    const line = (await addSecond()).trim();
    await using terminal = await startFixture(
      'script',
      ['-qefc', `'${process.execPath}' packages/cli/bin/muster.mjs join`, '/dev/null'],
      {
        cwd: ROOT_DIR,
        env: { MUSTER_CONFIG_DIR: second.configDir, MUSTER_STATE_DIR: second.stateDir },
      },
    );
    let shown = '';
    terminal.child.stdout?.on('data', (bytes: Buffer) => {
      shown += bytes.toString();
    });
    await eventually(() => shown.includes('then Enter: '), { message: 'the prompt' });
    terminal.child.stdin?.write(`${line}\r`);
    expect(await terminal.finished).toMatchObject({ code: 0 });
    expect(shown).toContain("host 'web2' belongs to the bus");
    expect(shown).not.toContain('muster1.');
  });

  test('what belongs to another bus is left alone unless it is to be replaced', async () => {
    const line = await addSecond();
    const other = 'host: db7\nbus: { url: "nats://other:4222", tls: { ca: other.crt } }\n';
    await second.writeAgentFile(other);
    const refused = await second.run(['join'], line);
    expect(refused.stderr).toContain("host is 'db7', bus.url is 'nats://other:4222'");
    expect(refused.stderr).toContain('--replace');
    expect(refused.code).toBe(1);
    expect(await second.readAgentFile()).toBe(other);
    await expect(readdir(join(second.stateDir, 'joined'))).rejects.toThrow('ENOENT');
    expect(await second.run(['join', '--replace'], line)).toMatchObject({ code: 0 });
    expect(parse(await second.readAgentFile())).toMatchObject({
      host: 'web2',
      bus: { url: expect.stringMatching(/^tls/u) },
    });
    expect(await second.readAgentFile()).not.toContain('other.crt');
  });

  test.each(['', 'npx muster join', 'muster1.', 'muster1.AAAA', 'nonsense'])('%j is no join line', async (text) => {
    const { code, stderr } = await second.run(['join'], text);
    expect(stderr).toContain('muster: that is no join line: ');
    expect(code).toBe(2);
  });

  test('a line that was cut short is told', async () => {
    const line = (await addSecond()).trim();
    const { code, stderr } = await second.run(['join'], line.slice(0, -40));
    expect(stderr).toContain(
      "it is cut short, or something else: paste what 'muster host add' has printed, to its end",
    );
    expect(code).toBe(2);
  });

  test('an agent.yaml that is broken is not touched', async () => {
    const line = await addSecond();
    await second.writeAgentFile('bus: {');
    const { code, stderr } = await second.run(['join'], line);
    expect(stderr).toContain('mend it first');
    expect(code).toBe(1);
    expect(await second.readAgentFile()).toBe('bus: {');
    expect(await readdir(second.configDir)).toEqual(['agent.yaml']);
    await expect(readdir(second.stateDir)).rejects.toThrow('ENOENT');
  });
});
