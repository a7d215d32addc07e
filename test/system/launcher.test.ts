/** `npm start` once everything is built: the launcher with the whole real system below it. */
import { execFileSync } from 'node:child_process';
import { chmod, lstat, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { eventually, isAlive, isRoot, NOBODY } from '@muster/testkit';
import { expect, test } from 'vitest';
import { agentPidOf, prepareSystem, servicesYaml, startLauncher } from './support.ts';

const PATIENCE_MS = 90_000;

/** What another account of this machine is answered: for the data, the page, and a command. */
function statusesForNobody(url: string): unknown {
  const script = `
    const headers = { 'content-type': 'application/json' };
    const ask = (path, init) => fetch(process.argv[1] + path, init).then(({ status }) => status);
    const stop = { method: 'POST', headers, body: '{}' };
    Promise.all([ask('/api/dashboard-data'), ask('/'), ask('/api/services/web1/api/stop', stop)])
      .then((statuses) => console.log(JSON.stringify(statuses)));`;
  const asNobody = { uid: NOBODY, gid: NOBODY, cwd: '/' };
  return JSON.parse(execFileSync(process.execPath, ['-e', script, url], { ...asNobody, encoding: 'utf8' }));
}

test('it starts, says its address, survives the death of its agent, is there only once, and stops in order', async () => {
  const print = 'umask; exec sleep 600';
  await using system = await prepareSystem({ services: servicesYaml({ name: 'api', command: print }) });
  await leaveOpen(system.stateDir);
  await using launcher = await startLauncher(system);
  await launcher.line(`Closed ${system.stateDir} to other users of this machine`, PATIENCE_MS);
  await launcher.line(`Muster runs: ${system.dashboardUrl}`, PATIENCE_MS);
  const health = await fetch(`${system.dashboardUrl}/api/health`);
  expect(health.status).toBe(200);

  await system.waitUntilUp();
  await system.waitUntilReady('api');
  expect((await fetch(`${system.dashboardUrl}/api/dashboard-data`)).status).toBe(200);
  const why = 'needs root to become another account';
  expect(isRoot ? statusesForNobody(system.dashboardUrl) : why).toEqual(isRoot ? [403, 403, 403] : why);
  const before = await pidsOf(system);
  expect([...before.keys()].sort()).toEqual(['api', 'bus-guard', 'dashboard', 'health-prober', 'nats-server']);
  const agent = await agentPidOf(system);
  process.kill(agent, 'SIGKILL');
  await launcher.line('Muster runs again', PATIENCE_MS);
  const next = await agentPidOf(system);
  expect(next).not.toBe(agent);
  await system.waitFor('api', ({ state, reason }) => state === 'running' && reason === 'adopted');
  await allAdopted(system, before);
  // Once for each start, which an agent's death is none.
  await system.waitFor('bus-setup', ({ state, generation }) => state === 'completed' && generation === 1);
  expect(await openToOthers(system.stateDir)).toEqual([]);
  // Only what is Muster's own: a service gets what the user has set.
  const umask = process.umask().toString(8).padStart(4, '0');
  expect(await readFile(path.join(system.stateDir, 'logs/api.0.stdout.log'), 'utf8')).toBe(`${umask}\n`);

  // What others must do in order to be an agent, ours does: also the second of one host, behind what the first has said.
  const { code, stdout } = await system.cli('bus', 'check-agent', system.host, '--for', '8s', '--json');
  const { findings } = JSON.parse(stdout) as { findings: { level: string }[] };
  expect(findings.filter(({ level }) => level !== 'ok')).toEqual([]);
  expect(findings.length).toBeGreaterThan(10);
  expect(code).toBe(0);

  await using second = await startLauncher(system);
  expect(await second.finished).toEqual({ code: 1, signal: null });
  expect(second.lines.join('\n')).toContain(`Muster already runs here: ${system.dashboardUrl} (pid ${launcher.pid})`);

  process.kill(launcher.pid, 'SIGINT');
  expect(await launcher.finished).toEqual({ code: 0, signal: null });
  expect(launcher.lines).toContainEqual(expect.stringContaining('nothing is left running'));
  expect(await system.tagged()).toEqual([]);
  expect(isAlive(next)).toBe(false);
  for (const pid of before.values()) expect(isAlive(pid)).toBe(false);
});

test('the launcher is killed with -9: the agent lets go, and the next launcher finds everything as it was', async () => {
  await using system = await prepareSystem({ services: servicesYaml({ name: 'api', command: ['sleep', '600'] }) });
  await using killed = await startLauncher(system);
  await killed.line('Muster runs: ', PATIENCE_MS);
  await system.waitUntilUp();
  await system.waitUntilReady('api');
  const before = await pidsOf(system);
  const agent = await agentPidOf(system);
  await killed.kill('SIGKILL');
  await eventually(() => !isAlive(agent), {
    message: 'the end of the agent without a launcher',
    timeoutMs: PATIENCE_MS,
  });
  for (const pid of before.values()) expect(isAlive(pid)).toBe(true);

  await using launcher = await startLauncher(system);
  await launcher.line('Muster runs: ', PATIENCE_MS);
  await system.waitFor('api', ({ state, reason }) => state === 'running' && reason === 'adopted');
  await allAdopted(system, before);
  // What runs now may be another version than what made the bus.
  await system.waitFor('bus-setup', ({ state, generation }) => state === 'completed' && generation === 2);
  process.kill(launcher.pid, 'SIGTERM');
  expect(await launcher.exited).toEqual({ code: 0, signal: null });
  expect(await system.tagged()).toEqual([]);
});

/** The agent finds one after the other, and its file says so a moment later. */
async function allAdopted(
  system: Awaited<ReturnType<typeof prepareSystem>>,
  before: ReadonlyMap<string, number>,
): Promise<void> {
  await eventually(async () => {
    expect(await pidsOf(system)).toEqual(before);
    return true;
  });
}

async function pidsOf(system: Awaited<ReturnType<typeof prepareSystem>>): Promise<ReadonlyMap<string, number>> {
  const instances = await system.instances();
  return new Map(instances.flatMap(({ service, pid }) => (pid === undefined ? [] : [[service, pid]])));
}

/** As an older Muster, or a careless hand, has left it. */
async function leaveOpen(stateDir: string): Promise<void> {
  await mkdir(path.join(stateDir, 'logs'));
  for (const name of ['launcher.json.17', 'logs/api.0.stderr.log', 'services.last-good.yaml']) {
    await writeFile(path.join(stateDir, name), '');
  }
  for (const name of ['', 'logs', 'keys', 'nats', 'nats/nats.conf', 'keys/root.nk', 'services.last-good.yaml']) {
    await chmod(path.join(stateDir, name), 0o755);
  }
}

/** As root, what the programs with users of their own have there: own-users.test.ts tries who gets at what. */
const HAS_DOORS = isRoot ? /^(programs|nats)(\/|$)/ : /^$/;

/** What of it anybody but its user may read, write or enter. */
async function openToOthers(stateDir: string): Promise<readonly string[]> {
  const all = ['.', ...(await readdir(stateDir, { recursive: true }))];
  const names = all.filter((name) => !HAS_DOORS.test(name));
  const modes = await Promise.all(
    names.map(async (name) => ({
      name,
      mode: (await lstat(path.join(stateDir, name)).catch(() => undefined))?.mode ?? 0,
    })),
  );
  return modes.filter(({ mode }) => (mode & 0o077) !== 0).map(({ name, mode }) => `${name} ${mode.toString(8)}`);
}
