import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { newerSources } from './apt.mjs';
import { ensureNatsServer } from './nats-server.mjs';
import { run } from './run.mjs';
import { isAtLeast } from './version.mjs';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'muster-nats-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** A program in the folder that is first on the PATH of the test. */
function plant(name: string, ...script: string[]): void {
  mkdirSync(join(dir, 'bin'), { recursive: true });
  writeFileSync(join(dir, 'bin', name), ['#!/bin/sh', ...script, ''].join('\n'), { mode: 0o755 });
}

function ensure(options: { isOpen: boolean; isRoot?: boolean; env?: NodeJS.ProcessEnv; sources?: string[] }) {
  const { isOpen, isRoot = false, env = {}, sources = [] } = options;
  return ensureNatsServer(
    {
      rootDir: dir,
      env: { PATH: `${join(dir, 'bin')}:/usr/bin:/bin`, ...env },
      isOpen,
      isRoot,
      sources,
      onInstall: () => {},
    },
    new AbortController().signal,
  );
}

test.each([
  ['2.9.10', '2.9.0', true],
  ['2.10.0', '2.9.10', true],
  ['2.10.27', '2.10.27', true],
  ['2.10.9', '2.10.27', false],
  ['1.99.99', '2.9.0', false],
])('%s is at least %s: %s', (version, minVersion, expected) => {
  expect(isAtLeast(version, minVersion)).toBe(expected);
});

describe('one that is there', () => {
  test('the first on PATH is taken for a bus on loopback', async () => {
    plant('nats-server', 'echo nats-server: v2.9.10');
    expect(await ensure({ isOpen: false })).toEqual({
      path: join(dir, 'bin/nats-server'),
      version: '2.9.10',
      isNew: false,
    });
  });

  test("the clone's own is taken for an open bus, when the one on PATH is too old", async () => {
    plant('nats-server', 'echo nats-server: v2.9.10');
    const ownDir = join(dir, '.muster/bin');
    mkdirSync(ownDir, { recursive: true });
    writeFileSync(join(ownDir, 'nats-server'), '#!/bin/sh\necho nats-server: v2.12.1\n', { mode: 0o755 });
    expect(await ensure({ isOpen: true })).toMatchObject({
      path: join(ownDir, 'nats-server'),
      version: '2.12.1',
    });
  });

  test('MUSTER_NATS_SERVER is taken as it is, or refused', async () => {
    await expect(ensure({ isOpen: false, env: { MUSTER_NATS_SERVER: join(dir, 'absent') } })).rejects.toThrow(
      /^MUSTER_NATS_SERVER=.*absent is not a nats-server >= 2\.9\.0: unset it or correct it$/,
    );
  });
});

/** apt, dpkg and sudo as far as they are used here; what was asked of them is in the file `log`. */
describe('one that is installed', () => {
  const OWN_BIN = '.muster/bin/nats-server';
  const NEWER = ['deb https://mirror.example/debian newer main'];

  function plantApt(offers: { own?: string; newer?: string; isReachable?: boolean; hasSudo?: boolean }): void {
    const { own = '(none)', newer = '(none)', isReachable = true, hasSudo = false } = offers;
    const choose = `case "$*" in *Dir::Etc::SourceList=*) version=${newer};; *) version=${own};; esac`;
    // Whatever this machine has comes later on PATH.
    plant('nats-server', 'echo nats-server: v2.8.0');
    plant('apt-cache', choose.replaceAll('(none)', "'(none)'"), 'printf "  Candidate: 1:%s-1+b2\\n" "$version"');
    plant(
      'apt-get',
      `echo "apt-get $*" >>'${dir}/log'`,
      choose.replaceAll('(none)', "'(none)'"),
      'case "$*" in',
      isReachable ? '*update) ;;' : '*update) echo "E: cannot reach the archive"; exit 100;;',
      `*install*) printf '#!/bin/sh\\necho nats-server: v%s\\n' "$version" >'${dir}/bin/nats-server';;`,
      '*download*) echo "$version" >nats-server_amd64.deb;;',
      'esac',
    );
    plant(
      'dpkg',
      'mkdir -p "$3/usr/sbin"',
      'printf \'#!/bin/sh\\necho nats-server: v%s\\n\' "$(cat "$2")" >"$3/usr/sbin/nats-server"',
      'chmod +x "$3/usr/sbin/nats-server"',
    );
    plant('sudo', hasSudo ? 'shift; exec "$@"' : 'exit 1');
  }
  const log = () => readFileSync(join(dir, 'log'), 'utf8');

  test.each([
    ['as root', { isRoot: true }],
    ['by sudo', { isRoot: false }],
  ])("the machine's own suite is asked first, also for an open bus, %s", async (_, { isRoot }) => {
    plantApt({ own: '2.12.0', newer: '2.12.1', hasSudo: true });
    const server = await ensure({ isOpen: true, isRoot, sources: NEWER });
    expect(server).toEqual({ path: join(dir, 'bin/nats-server'), version: '2.12.0', isNew: true });
    expect(log()).not.toContain('SourceList');
  });

  test('without root rights it is unpacked into the clone, and nothing else is left', async () => {
    plantApt({ own: '2.9.10' });
    const server = await ensure({ isOpen: false });
    expect(server).toEqual({ path: join(dir, OWN_BIN), version: '2.9.10', isNew: true });
    expect(readdirSync(join(dir, '.muster/bin'))).toEqual(['nats-server']);
    expect(log()).not.toContain('install');
  });

  test('a newer suite serves an open bus where the own one is too old, and the system keeps what it has', async () => {
    plantApt({ own: '2.9.10', newer: '2.12.1', hasSudo: true });
    const server = await ensure({ isOpen: true, sources: NEWER });
    expect(server).toEqual({ path: join(dir, OWN_BIN), version: '2.12.1', isNew: true });
    expect(log()).not.toContain('install');
  });

  test('a refusal for loopback says why, and which command helps', async () => {
    plantApt({ isReachable: false });
    await expect(ensure({ isOpen: false })).rejects.toThrow(
      /^no nats-server >= 2\.9\.0 on PATH or at .*, and it could not be installed \(not root, and no sudo without a password; apt-get update: E: cannot reach the archive\): type `sudo apt-get update && sudo apt-get install -y nats-server`$/,
    );
    await expect(ensure({ isOpen: false, isRoot: true })).rejects.toThrow(
      /: type `apt-get update && apt-get install -y nats-server`$/,
    );
  });

  test.each([
    ['an open bus', true, '2.9.10', /, or set `bus\.listen` in config\/agent\.yaml to a loopback address$/],
    ['loopback, where apt has only an older one', false, '2.7.4', /`$/],
  ])('the command in a refusal for %s brings a server that will do', async (_, isOpen, own, end) => {
    plantApt({ own, newer: own, hasSudo: true });
    plant(
      'curl',
      'for url; do :; done',
      'name=$(basename "$url" .tar.gz) release=${url%/*}',
      `mkdir -p '${dir}'/archive/"$name" && cd '${dir}/archive'`,
      'printf \'#!/bin/sh\\necho nats-server: %s\\n\' "${release##*/}" >"$name/nats-server"',
      'chmod +x "$name/nats-server" && tar -cz "$name"',
    );
    const refused = await ensure({ isOpen, sources: NEWER }).then(
      () => '',
      (error: Error) => error.message,
    );
    expect(refused).toMatch(/^no nats-server >= .* could not be installed \(apt has only nats-server [\d.]+\): type `/);
    expect(refused).toMatch(end);
    const command = /type `([^`]+)`/.exec(refused)?.[1] ?? '';
    const { code, output } = await run('sh', ['-c', command], {
      env: { PATH: `${join(dir, 'bin')}:/usr/bin:/bin` },
    });
    expect(code, output).toBe(0);
    expect(await ensure({ isOpen })).toMatchObject({ path: join(dir, OWN_BIN), isNew: false });
  });
});

describe("suites newer than the machine's own", () => {
  function plantSources(text: string, keyring: string): void {
    mkdirSync(join(dir, 'etc/apt/sources.list.d'), { recursive: true });
    mkdirSync(join(dir, 'usr/share/keyrings'), { recursive: true });
    writeFileSync(join(dir, 'etc/apt/sources.list.d/some.sources'), text);
    writeFileSync(join(dir, 'usr/share/keyrings', keyring), '');
  }

  test.each([
    [
      'Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm',
      'debian',
      'http://mirror.example/debian sid main',
    ],
    [
      'deb [signed-by=/x.gpg] https://mirror.example/debian/ bookworm main',
      'debian',
      'https://mirror.example/debian/ sid main',
    ],
    ['deb http://mirror.example/ubuntu noble main', 'ubuntu', 'http://mirror.example/ubuntu devel main universe'],
    [
      'deb http://mirror.example/ubuntu-ports noble main',
      'ubuntu',
      'http://mirror.example/ubuntu-ports devel main universe',
    ],
  ])('come from the mirror in %j', (text, distribution, expected) => {
    const keyring = `${distribution}-archive-keyring.gpg`;
    plantSources(text, keyring);
    expect(newerSources(dir)).toContain(`deb [signed-by=${join(dir, 'usr/share/keyrings', keyring)}] ${expected}`);
  });

  test.each([
    ['# deb http://old.example/debian x\nURIs: http://security.example/debian-security', 'debian-archive-keyring.gpg'],
    ['deb http://mirror.example/debian bookworm main', 'another.gpg'],
  ])('there are none with %j and %s', (text, keyring) => {
    plantSources(text, keyring);
    expect(newerSources(dir)).toEqual([]);
  });

  test('there are none without apt', () => {
    expect(newerSources(dir)).toEqual([]);
  });
});
