/** What hangs is restarted, with permission; what is merely not ready is left alone; what never recovers is given up. */
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { eventually, freePort, isAlive, startMusterSystem, temporaryDirectory } from '@muster/testkit';
import { expect, test } from 'vitest';
import { recentEvents, servicesYaml } from './support.ts';

const WEB = path.resolve(import.meta.dirname, '../fixtures/web.mjs');
/** What does not hang answers in time, also on a busy machine. */
const HEALTH = { http: { path: '/api/health' }, period: '1s', timeout: '2s', failure_threshold: 2 };

function web(name: string, port: number, environment: Readonly<Record<string, string>> = {}) {
  return {
    name,
    command: [process.execPath, WEB],
    port,
    environment: { PORT: String(port), ...environment },
    stop_timeout: '500ms',
    restart_delay: 0,
    probes: { startup: { ...HEALTH, failure_threshold: 60 }, liveness: HEALTH },
  };
}

test('a service that hangs is restarted with the permission of the prober, else within the cap of the host', async () => {
  await using system = await startMusterSystem({ services: servicesYaml(web('web', await freePort())) });
  await system.waitUntilUp();
  const { pid = 0 } = await system.waitUntilReady('web');
  process.kill(pid, 'SIGSTOP');
  await system.waitFor('web', ({ generation, ready }) => generation === 2 && ready === 'yes');
  expect(isAlive(pid)).toBe(false);
  const reasons = (await recentEvents(system, 'web')).map(({ reason }) => reason);
  expect(reasons).toContainEqual(
    expect.stringMatching(/^liveness probe of http.* failed: timeout.*asks for permission/),
  );
  expect(reasons).toContainEqual(expect.stringContaining('the prober allows a restart'));
  const why = await system.cli('why', 'web');
  expect(why.code, why.stderr).toBe(0);
  expect(why.stdout).toMatch(/asks for permission[\s\S]*the prober allows a restart[\s\S]*startup probe passed/);

  // The prober hears the question, and never answers.
  const prober = await system.waitUntilReady('health-prober');
  process.kill(prober.pid ?? 0, 'SIGSTOP');
  const second = await system.waitUntilReady('web');
  process.kill(second.pid ?? 0, 'SIGSTOP');
  await system.waitFor('web', ({ generation, ready }) => generation === 3 && ready === 'yes');
  process.kill(prober.pid ?? 0, 'SIGCONT');
  expect((await recentEvents(system, 'web')).map(({ reason }) => reason)).toContainEqual(
    expect.stringContaining('no prober decides'),
  );
  expect(await system.waitUntilReady('web')).toMatchObject({ restarts: 2 });
});

test('a service that is not ready is told so and left alone, and is ready again by itself', async () => {
  await using files = await temporaryDirectory();
  const sick = path.join(files.path, 'sick');
  const port = await freePort();
  const service = web('web', port, { SICK_FILE: sick });
  await using system = await startMusterSystem({
    isEmbedded: false,
    services: servicesYaml({
      ...service,
      probes: { startup: service.probes.startup, readiness: HEALTH, liveness: { tcp: {}, period: '1s' } },
    }),
  });
  const { pid } = await system.waitUntilReady('web');
  for (let round = 0; round < 2; round += 1) {
    await writeFile(sick, '');
    const ill = await system.waitFor('web', ({ ready }) => ready === 'no');
    expect(ill).toMatchObject({ state: 'running', pid, reason: expect.stringMatching(/^not ready: .*503/) });
    await rm(sick);
    expect(await system.waitUntilReady('web')).toMatchObject({ pid, generation: 1, restarts: 0 });
  }
});

test('a service that hangs again and again spends its budget, and has failed then', async () => {
  await using system = await startMusterSystem({
    isEmbedded: false,
    services: servicesYaml({ ...web('web', await freePort(), { HANG_AFTER_MS: '1500' }), max_restarts: 2 }),
  });
  const failed = await system.waitFor('web', ({ state }) => state === 'failed');
  expect(failed).toMatchObject({ generation: 3, restarts: 2 });
  expect(failed.reason).toMatch(/liveness probe of http.* failed: timeout.*no prober decides.*budget/);
  await eventually(async () => (await system.tagged()).length === 0, { message: 'an end of the last run' });
});
