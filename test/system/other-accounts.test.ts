/**
 * Other accounts of the same machine. The agent runs as one ordinary user, with its runtime folder in a /tmp of the test's
 * own, and another ordinary user was there first, or looks in later. Root plays what the attacker has made.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, chown, cp, lstat, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import {
  eventually,
  freePort,
  isRoot,
  MusterSystem,
  type MusterSystemOptions,
  temporaryDirectory,
} from '@muster/testkit';
import { expect, test } from 'vitest';
import { servicesYaml } from './support.ts';

const USER = 65_432;
const ATTACKER = 65_433;
const ROOT_DIR = path.resolve(import.meta.dirname, '../..');

/** A command line that runs as a user without any privilege. */
function as(uid: number, program: string, ...args: readonly string[]): readonly [string, ...string[]] {
  return ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', program, ...args];
}

async function succeedsAs(uid: number, ...line: readonly [string, ...string[]]): Promise<boolean> {
  const [command, ...args] = as(uid, ...line);
  return await promisify(execFile)(command, args, { timeout: 20_000 }).then(
    () => true,
    () => false,
  );
}

async function whyNot(): Promise<string | undefined> {
  if (!isRoot) return 'needs root, to be two other users';
  const readable = await succeedsAs(
    USER,
    'test',
    '-r',
    path.join(ROOT_DIR, 'packages/supervisor-agent/bundle/main.js'),
  );
  return readable ? undefined : 'an ordinary user can read neither the clone nor run setpriv';
}

/** Directories that others may look for, and a system of USER's in them whose runtime folder will be `<tmp>/muster-<uid>`. */
async function prepareForUser(options: MusterSystemOptions = {}) {
  const home = await temporaryDirectory();
  const tmp = path.join(home.path, 'tmp');
  const system = new MusterSystem(
    home,
    {
      isEmbedded: false,
      bus: { url: 'nats://127.0.0.1:1', credentialsFile: '/nowhere' },
      services: servicesYaml({ name: 'api', command: ['sleep', '600'] }),
      network: { command: (program, ...args) => as(USER, program, ...args) },
      env: { XDG_RUNTIME_DIR: '', TMPDIR: tmp, HOME: home.path },
      ...options,
    },
    await freePort(),
    await freePort(),
  );
  await system.prepare();
  await mkdir(tmp);
  await chmod(tmp, 0o1777);
  await chmod(home.path, 0o755);
  for (const folder of [system.stateDir, system.configDir]) await give(folder, USER);
  return { system, runtime: path.join(tmp, `muster-${USER}`), home: home.path };
}

async function give(folder: string, uid: number): Promise<void> {
  await promisify(execFile)('chown', ['-Rh', `${uid}:${uid}`, folder]);
}

const skipped = await whyNot();

test.skipIf(skipped !== undefined)(
  `who made the runtime folder first has nothing run as its user ${skipped ?? ''}`,
  async () => {
    const { system, runtime, home } = await prepareForUser();
    await using _system = system;
    await system.startAgent();
    await system.waitFor('api', ({ state }) => state === 'running');
    expect(await system.shutDown()).toBe(0);
    const agentId = (await readFile(path.join(system.stateDir, 'agent-id'), 'utf8')).trim();
    const scripts = (await readdir(path.join(runtime, agentId))).filter((name) => name.endsWith('.sh'));
    expect(scripts).toHaveLength(3);

    // As it was, with the scripts of an attacker, under the names that everybody sees in the list of processes.
    const theirs = path.join(home, 'theirs');
    const proof = path.join(home, 'tmp/proof');
    await cp(runtime, theirs, { recursive: true, filter: (from) => !/^api\.0|\.sock$/.test(path.basename(from)) });
    for (const name of scripts) await writeFile(path.join(theirs, agentId, name), `id -u > ${proof}\n`);
    await give(theirs, ATTACKER);
    await promisify(execFile)('chmod', ['-R', '0777', theirs]);
    await rm(runtime, { recursive: true });

    const plant: Readonly<Record<string, () => Promise<void>>> = {
      'a folder': () => cp(theirs, runtime, { recursive: true }).then(() => give(runtime, ATTACKER)),
      'a folder that is open': () =>
        cp(theirs, runtime, { recursive: true })
          .then(() => chmod(runtime, 0o777))
          .then(() => chown(runtime, USER, USER)),
      'a link': () => symlink(theirs, runtime),
      'what is in it': async () => {
        await mkdir(runtime, { mode: 0o700 });
        await chown(runtime, USER, USER);
        await cp(theirs, runtime, { recursive: true });
        await chmod(runtime, 0o700);
        await give(path.join(runtime, agentId), ATTACKER);
      },
      'a script': async () => {
        await cp(theirs, runtime, { recursive: true });
        await give(runtime, USER);
        for (const folder of [runtime, path.join(runtime, agentId)]) await chmod(folder, 0o700);
        for (const name of scripts) await give(path.join(runtime, agentId, name), ATTACKER);
      },
    };
    for (const [what, make] of Object.entries(plant)) {
      await make();
      await system.startAgent();
      let code: number | null | undefined;
      void system.agentExit().then((ended) => {
        code = ended;
      });
      const isKnown = () => code !== undefined || existsSync(proof);
      await eventually(isKnown, { message: `what comes of ${what}`, timeoutMs: 60_000 });
      expect(existsSync(proof), `${what}: the attacker's script ran`).toBe(false);
      expect(code, `${what}: ${system.output}`).toBe(3);
      await rm(runtime, { recursive: true, force: true });
    }
    expect(system.output).toContain(`cannot keep the records of runs: '${runtime}' belongs to uid ${ATTACKER}`);
    expect(system.output).toContain(`'${runtime}' is a link to another folder`);
    expect(system.output).toContain('or set XDG_RUNTIME_DIR to a folder of your own: mkdir -m 700 FOLDER');
  },
);

test.skipIf(skipped !== undefined)(`nobody else reads or opens what an agent has ${skipped ?? ''}`, async () => {
  const { system, runtime } = await prepareForUser();
  await using _system = system;
  await system.startAgent();
  await system.waitFor('api', ({ state }) => state === 'running');
  const agentId = (await readFile(path.join(system.stateDir, 'agent-id'), 'utf8')).trim();
  const records = path.join(runtime, agentId);
  const [run = ''] = await readdir(path.join(records, 'api.0'));
  const tree = path.join(records, 'api.0', run, 'tree');
  const logs = path.join(system.stateDir, 'logs');
  const files = [
    path.join(system.stateDir, 'status.json'),
    path.join(system.stateDir, 'services.last-good.yaml'),
    path.join(system.stateDir, 'agent.lock'),
    path.join(logs, 'api.0.stdout.log'),
    path.join(records, 'api.0', run, 'spec'),
    path.join(records, 'api.0', run, 'journal'),
    tree,
  ];
  const open = 'exec 3<>"$0"';
  for (const file of files) {
    await eventually(() => succeedsAs(USER, 'sh', '-c', open, file), { message: `its user opens ${file}` });
    expect(await succeedsAs(ATTACKER, 'sh', '-c', open, file), file).toBe(false);
  }
  for (const folder of [system.stateDir, logs, runtime, records]) {
    expect(await succeedsAs(USER, 'ls', folder), folder).toBe(true);
    expect(await succeedsAs(ATTACKER, 'ls', folder), folder).toBe(false);
    expect(await succeedsAs(ATTACKER, 'sh', '-c', 'cd "$0"', folder), folder).toBe(false);
  }
  // The fence is the files', too: not the folders' alone.
  for (const file of files) expect((await lstat(file)).mode & 0o077, file).toBe(0);
  expect(await system.shutDown()).toBe(0);
});
