/**
 * Started as root, the bus, the prober and the dashboard run as users of their own, each with what it needs and nothing else.
 * State and configuration lie in a folder that only root can enter, as a clone in /root does, and Node and nats-server as well.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, linkSync } from 'node:fs';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { connect as connectTcp } from 'node:net';
import path from 'node:path';
import { connect as connectTls } from 'node:tls';
import { rows } from '@muster/contracts';
import { setupBus } from '@muster/contracts/admin';
import { openBus, uuidv7 } from '@muster/contracts/bus';
import {
  eventually,
  findNatsServer,
  freePort,
  isAlive,
  isRoot,
  MusterSystem,
  NOBODY,
  startFixture,
  startNatsServer,
  temporaryDirectory,
} from '@muster/testkit';
import { expect, test } from 'vitest';
import { connect, killHard, servicesYaml, waitForBus } from './support.ts';

const PROGRAMS = { 'nats-server': 'muster-bus', 'health-prober': 'muster-prober', dashboard: 'muster-dashboard' };
type Program = keyof typeof PROGRAMS;
/** What Docker leaves of root: among what is missing is the right to look into processes of other users. */
const CAPABILITIES =
  '-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+net_bind_service,+net_raw,+sys_chroot,+mknod,+audit_write,+setfcap';
/** And the strictest of masks. */
const CONTAINER = `umask 077; exec setpriv --bounding-set=${CAPABILITIES} "$@"`;
/** Whoever typed `sudo npm start`, and somebody who did not. */
const SUDO_UID = 4_242;
const NAMES = Object.keys(PROGRAMS) as Program[];
/** One that takes API calls which it cannot read is set up on loopback only, where there are no certificates. */
const isLax = /v2\.(9|10|11)\./.test(execFileSync(await findNatsServer(), ['--version']).toString());

test('as root: users of their own, no right left, no key of another, through deaths, new keys and an old clone', {
  timeout: 300_000,
}, async (context) => {
  context.skip(!isRoot, 'needs root, which is what this is about');
  await using home = await temporaryDirectory();
  const node = place(process.execPath, path.join(home.path, 'node'));
  const services = servicesYaml({ name: 'api', command: ['sleep', '600'] });
  const [busPort, dashboardPort] = [await freePort(), await freePort()];
  const options = {
    services,
    node,
    natsServer: place(await findNatsServer(), path.join(home.path, 'nats-server')),
    ...(isLax ? {} : { listenHost: '0.0.0.0' }),
    env: { SUDO_UID: String(SUDO_UID) },
    network: { command: (...line: readonly string[]) => ['sh', '-c', CONTAINER, 'sh', ...line] as const },
  };
  await using system = new MusterSystem(home, options, busPort, dashboardPort);
  await system.prepare();
  await livedAsRoot(system, busPort);

  await system.startAgent();
  await system.waitUntilUp();
  const api = await system.waitUntilReady('api');
  const first = await pidsOf(system);
  for (const name of NAMES) expect(await rightsOf(first[name]), name).toEqual(await nothingBut(PROGRAMS[name]));
  expect((await rightsOf(api.pid ?? 0)).uids, 'the services of the user run as before').toEqual(['0', '0', '0', '0']);
  expect(await environmentOf(first.dashboard)).toContain(`MUSTER_OWNERS=0,${SUDO_UID}`);
  for (const name of NAMES) {
    const [own] = (await environmentOf(first[name])).filter((entry) => entry.startsWith('HOME='));
    expect(own, `${name} has no home of root's`).toBe('HOME=/nonexistent');
  }
  await expectNothingOfOthers(system, first);
  const strangers = (await Promise.all(Object.values(PROGRAMS).map(idsOf))).map(({ uid }) => uid);
  const answers = new Map<number, string>();
  for (const uid of [0, SUDO_UID, NOBODY, ...strangers]) answers.set(uid, await askedBy(uid, system));
  expect(Object.fromEntries(answers), 'owners stay owners').toEqual(
    Object.fromEntries([...answers.keys()].map((uid) => [uid, [0, SUDO_UID].includes(uid) ? '200' : '403'])),
  );

  // What an earlier version did as root is still there.
  await waitForBus(system);
  await using bus = await connect(system, 'operator', 'cli');
  expect(await bus.kv('config').get('dashboard')).toMatchObject({ value: { content: 'kept' } });
  const memory = path.join(system.stateDir, 'programs/health-prober/state/prober-main/keepsake');
  expect(await readFile(memory, 'utf8')).toBe('kept');
  expect((await stat(memory)).uid).toBe((await idsOf('muster-prober')).uid);

  // An agent's death is a non-event.
  await system.killAgent();
  await system.startAgent();
  await system.waitFor('dashboard', ({ state, reason }) => state === 'running' && reason === 'adopted');
  await eventually(async () => {
    expect(await pidsOf(system)).toEqual(first);
    return true;
  });

  // New keys reach the programs, which cannot see where keys are made.
  await mustSucceed(system, 'bus', 'rotate', 'prober-main');
  await mustSucceed(system, 'bus', 'rotate', 'prober-main', '--finish');
  if (!isLax) {
    const before = await certificateAt(busPort);
    await mustSucceed(system, 'bus', 'rotate', 'ca');
    await mustSucceed(system, 'bus', 'rotate', 'ca', '--finish');
    await eventually(async () => (await certificateAt(busPort)) !== before, { message: 'the new certificate' });
  }
  await killHard(first['nats-server']);
  await system.waitFor('nats-server', ({ generation, ready }) => generation === 2 && ready === 'yes');
  const next = await pidsOf(system);
  expect(await rightsOf(next['nats-server'])).toEqual(await nothingBut('muster-bus'));
  await eventually(async () => (await fetch(`${system.dashboardUrl}/api/health`)).ok, {
    message: 'the dashboard is back on the bus',
    timeoutMs: 60_000,
  });
  await bus.connected(AbortSignal.timeout(60_000));
  let heartbeats = 0;
  bus.subscribe(rows.proberPresence, { prober: 'main' }, () => {
    heartbeats += 1;
  });
  await eventually(() => heartbeats > 0, { message: 'the prober is back on the bus', timeoutMs: 60_000 });
  await expectNothingOfOthers(system, next);

  // What is fixed to the word of its file, not of the copy that it reads.
  await writeFile(path.join(system.configDir, 'prober.yaml'), 'intervall: 5s\n');
  await killHard(next['health-prober']);
  const told = path.join(system.stateDir, 'logs/health-prober.0.stderr.log');
  await eventually(
    async () => (await readFile(told, 'utf8')).includes(`${system.configDir}/prober.yaml:1:1: unknown key`),
    {
      message: 'the word on the file',
      timeoutMs: 60_000,
    },
  );

  expect(await system.shutDown()).toBe(0);
  expect(await system.tagged()).toEqual([]);
  for (const pid of Object.values(next)) expect(isAlive(pid)).toBe(false);
});

/** A second name for a program, or a copy. */
function place(program: string, file: string): string {
  try {
    linkSync(program, file);
  } catch {
    copyFileSync(program, file);
  }
  return file;
}

/** What a clone has on disk that was begun as root by a version before this one. */
async function livedAsRoot(system: MusterSystem, port: number): Promise<void> {
  const config = await readFile(path.join(system.stateDir, 'nats/nats.conf'), 'utf8');
  await using server = await startNatsServer({ config, port });
  await using admin = openBus({
    servers: system.busUrl,
    credentialsFile: system.credentials('admin-setup'),
    environment: system.environment,
    role: 'admin',
    id: 'setup',
  });
  await admin.connected(AbortSignal.timeout(60_000));
  await setupBus(admin);
  const written = { id: uuidv7(), time: new Date().toISOString(), source: 'admin/setup' };
  const entry = { kind: 'dashboard', host: '_', content: 'kept', origin: 'apply', appliedBy: 'test' } as const;
  await admin.kv('config').put('dashboard', { ...written, ...entry });
  await server.stop();
  const memory = path.join(system.stateDir, 'prober-main');
  await mkdir(memory, { mode: 0o700 });
  await writeFile(path.join(memory, 'keepsake'), 'kept', { mode: 0o600 });
}

async function pidsOf(system: MusterSystem): Promise<Record<Program, number>> {
  const instances = await system.instances();
  const pidOf = (name: Program) => instances.find(({ service }) => service === name)?.pid ?? 0;
  return Object.fromEntries(NAMES.map((name) => [name, pidOf(name)])) as Record<Program, number>;
}

async function rightsOf(pid: number) {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const field = (name: string) => new RegExp(`^${name}:(.*)$`, 'm').exec(status)?.[1]?.trim().split(/\s+/) ?? [];
  return {
    uids: field('Uid'),
    gids: field('Gid'),
    groups: field('Groups').join(' '),
    capabilities: ['CapInh', 'CapPrm', 'CapEff', 'CapAmb'].flatMap(field).map((bits) => Number.parseInt(bits, 16)),
    noNewPrivileges: field('NoNewPrivs'),
  };
}

async function nothingBut(account: string): Promise<Awaited<ReturnType<typeof rightsOf>>> {
  const { uid, gid } = await idsOf(account);
  const capabilities = [0, 0, 0, 0];
  return {
    uids: Array<string>(4).fill(String(uid)),
    gids: Array<string>(4).fill(String(gid)),
    groups: '',
    capabilities,
    noNewPrivileges: ['1'],
  };
}

async function idsOf(account: string): Promise<{ uid: number; gid: number }> {
  const line = (await readFile('/etc/passwd', 'utf8')).split('\n').find((entry) => entry.startsWith(`${account}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  return { uid: Number(uid), gid: Number(gid) };
}

async function environmentOf(pid: number): Promise<readonly string[]> {
  return (await readFile(`/proc/${pid}/environ`, 'utf8')).split('\0');
}

/** Everything that each could try with its user and from where it works. */
async function expectNothingOfOthers(system: MusterSystem, pids: Readonly<Record<Program, number>>): Promise<void> {
  const allowed: Record<Program, { readable: RegExp; writable: RegExp; creds: readonly string[] }> = {
    'nats-server': {
      readable: /^\.\/(nats-server|embedded\.conf|nats\.pid|tls\/(ca\.crt|server\.crt|server\.key)|jetstream\/.*)$/,
      writable: /^\.\/(nats\.pid|jetstream(\/.*)?)$/,
      creds: [],
    },
    'health-prober': {
      readable: /^\.\/(health-prober\/.*|bin\/node)$/,
      writable: /^\.\/health-prober\/state(\/.*)?$/,
      creds: ['./health-prober/keys/prober-main.creds'],
    },
    dashboard: {
      readable: /^\.\/(dashboard\/.*|bin\/node)$/,
      writable: /^\.\/dashboard\/state(\/.*)?$/,
      creds: ['./dashboard/keys/dashboard-main.creds'],
    },
  };
  for (const name of NAMES) {
    const folder = path.join(system.stateDir, name === 'nats-server' ? 'nats' : 'programs');
    const run = (script: string) => runAs(PROGRAMS[name], folder, script);
    const { readable, writable, creds } = allowed[name];
    // The folder itself tells nobody what is in it, but everybody knows.
    const places = name === 'nats-server' ? '.' : './bin ./health-prober ./dashboard';
    const read = await run(`find ${places} -type f -readable 2>/dev/null`);
    expect(
      read.filter((file) => !readable.test(file)),
      `${name} reads`,
    ).toEqual([]);
    expect(
      read.filter((file) => /\.(creds|nk|password)$/.test(file)),
      `${name}: credentials`,
    ).toEqual(creds);
    const written = await run(`find . ${places} -writable 2>/dev/null`);
    expect(
      written.filter((file) => !writable.test(file)),
      `${name} writes`,
    ).toEqual([]);
    expect(written.length, `${name} has a place of its own`).toBeGreaterThan(0);
    const files = ['root.nk', 'account-signing.nk', 'admin-setup.creds', 'prober-main.creds', 'dashboard-main.creds'];
    const paths = files.flatMap((file) => [`${system.stateDir}/keys/${file}`, `../keys/${file}`]);
    const others = NAMES.filter((other) => other !== name).map((other) => pids[other]);
    const inProc = [system.agentPid, ...others].flatMap((pid) =>
      ['environ', 'mem', 'root/etc/passwd', 'cwd/health-prober/package.json'].map((file) => `/proc/${pid}/${file}`),
    );
    for (const file of [...paths, ...inProc]) {
      expect(await run(`head -c1 ${file} >/dev/null 2>&1 && echo ${file}`), `${name} reads ${file}`).toEqual([]);
    }
    for (const pid of [system.agentPid, ...others]) {
      expect(await run(`kill -0 ${pid} 2>/dev/null && echo ${pid}`), `${name} signals ${pid}`).toEqual([]);
    }
  }
}

/** What the dashboard answers that account: the status. */
async function askedBy(uid: number, { stateDir, dashboardUrl }: MusterSystem): Promise<string> {
  const ask = `fetch('${dashboardUrl}/api/dashboard-data').then(({ status }) => console.log(status))`;
  const line = [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--', './bin/node', '-e', ask];
  // Where there is a Node for everybody.
  const run = await startFixture('setpriv', line, { cwd: path.join(stateDir, 'programs') });
  await run.finished;
  return run.lines.join(' ');
}

/** What a script prints as that user, in a folder that it has not found by itself. */
async function runAs(account: string, folder: string, script: string): Promise<readonly string[]> {
  const { uid, gid } = await idsOf(account);
  const drop = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--'];
  const run = await startFixture('setpriv', [...drop, '/bin/sh', '-c', script], { cwd: folder });
  await run.finished;
  return run.lines;
}

async function mustSucceed(system: MusterSystem, ...args: readonly string[]): Promise<void> {
  const done = await system.cli(...args);
  expect(done, done.stderr).toMatchObject({ code: 0 });
}

/** The fingerprint of what the server shows to whoever asks. It speaks first, and then TLS. */
async function certificateAt(port: number): Promise<string> {
  const socket = connectTcp(port, '127.0.0.1');
  await once(socket, 'data');
  const secure = connectTls({ socket, rejectUnauthorized: false });
  await once(secure, 'secureConnect');
  const { fingerprint256 } = secure.getPeerCertificate();
  // It will not be let in, and is told so.
  secure.on('error', () => {});
  secure.destroy();
  return fingerprint256;
}
