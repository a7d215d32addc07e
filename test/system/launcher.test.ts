/** `npm start` once everything is built: the launcher with the whole real system below it. */
import { eventually, isAlive } from '@muster/testkit';
import { expect, test } from 'vitest';
import { agentPidOf, prepareSystem, servicesYaml, startLauncher } from './support.ts';

const PATIENCE_MS = 90_000;

test('it starts, says its address, survives the death of its agent, is there only once, and stops in order', async () => {
  await using system = await prepareSystem({ services: servicesYaml({ name: 'api', command: ['sleep', '600'] }) });
  await using launcher = await startLauncher(system);
  await launcher.line(`Muster runs: ${system.dashboardUrl}`, PATIENCE_MS);
  const health = await fetch(`${system.dashboardUrl}/api/health`);
  expect(health.status).toBe(200);

  await system.waitUntilUp();
  await system.waitUntilReady('api');
  const before = await pidsOf(system);
  expect([...before.keys()].sort()).toEqual(['api', 'bus-guard', 'dashboard', 'health-prober', 'nats-server']);
  const agent = await agentPidOf(system);
  process.kill(agent, 'SIGKILL');
  await launcher.line('Muster runs again', PATIENCE_MS);
  const next = await agentPidOf(system);
  expect(next).not.toBe(agent);
  await system.waitFor('api', ({ state, reason }) => state === 'running' && reason === 'adopted');
  await allAdopted(system, before);

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
