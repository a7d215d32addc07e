/**
 * Alerts as somebody hears them who may hear nothing else: an observer with its own credentials. Each alert of each rule is
 * heard once, and is over when its cause is; a prober that dies in between says nothing twice and loses nothing.
 */
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type AlertEvent, rows } from '@muster/contracts';
import { openBus } from '@muster/contracts/bus';
import { FleetClient } from '@muster/contracts/client';
import { eventually, freePort, temporaryDirectory } from '@muster/testkit';
import { expect, test } from 'vitest';
import { connect, killHard, prepareSystem, servicesYaml, shell } from './support.ts';

const WEB = path.resolve(import.meta.dirname, '../fixtures/web.mjs');
/** Three missed heartbeats, as the design has it, with room for a busy machine. */
const HOST_GONE_MS = 12_000;
const SLACK_MS = 15_000;
const PATIENCE_MS = 60_000;
/** So that a verdict takes seconds. What is sick answers at once: only a busy machine takes longer, and is not meant. */
const PROBER = 'interval: 1s\nretry: 300ms\nattempts: 2\ntimeout: 20s\n';

test('each alert is heard once, and once more when it is over', async () => {
  await using files = await temporaryDirectory();
  const sick = path.join(files.path, 'sick');
  const able = path.join(files.path, 'able');
  await writeFile(able, '');
  const port = await freePort();
  await using system = await prepareSystem({
    services: servicesYaml(
      { name: 'crashing', command: ['sleep', '600'] },
      { name: 'looping', command: ['sleep', '600'], max_restarts: 4, restart_delay: '100ms' },
      {
        name: 'doomed',
        command: shell('[ -e "$1" ] || exit 7; exec sleep 600', able),
        max_restarts: 1,
        restart_delay: 0,
      },
      {
        name: 'web',
        command: [process.execPath, WEB],
        port,
        environment: { PORT: String(port), SICK_FILE: sick },
        health_check_url: `http://127.0.0.1:${port}/api/health`,
        // What is sick is judged here, not restarted.
        probes: { liveness: { tcp: {} } },
      },
    ),
  });
  await writeFile(path.join(system.configDir, 'prober.yaml'), PROBER);
  await system.startAgent();
  await system.waitUntilUp();
  await system.waitUntilReady('web');
  await using observer = openBus({
    servers: system.busUrl,
    credentialsFile: system.credentials('observer-alerts'),
    environment: system.environment,
    role: 'observer',
    id: 'alerts',
  });
  const heard: AlertEvent[] = [];
  observer.subscribe(rows.alert, {}, (alert) => heard.push(alert));
  await observer.connected(AbortSignal.timeout(30_000));
  await observer.flush();
  const story = (service: string, rule: string) =>
    heard.filter(({ data }) => data.service === service && data.rule === rule).map(({ data }) => data.state);
  const hears = (service: string, rule: string, ...states: readonly string[]) =>
    eventually(
      () => {
        const now = story(service, rule);
        if (now.join() !== states.join()) throw new Error(`heard of ${service} ${rule}: ${now.join() || 'nothing'}`);
        return true;
      },
      { timeoutMs: PATIENCE_MS, message: `${rule} of ${service}: ${states.join()}` },
    );
  await using operator = await connect(system);
  using client = new FleetClient({ bus: operator, actor: 'alerts test', timeoutMs: 30_000 });

  // failed: it cannot start any more.
  await rm(able);
  await killHard((await system.waitUntilReady('doomed')).pid ?? 0);
  await hears('doomed', 'failed', 'firing');

  // restarted: information, told when it is over.
  await killHard((await system.waitUntilReady('crashing')).pid ?? 0);
  await hears('crashing', 'restarted', 'resolved');
  const [restarted] = heard.filter(({ data }) => data.service === 'crashing');
  expect(restarted).toMatchObject({
    specversion: '1.0',
    type: 'io.muster.alert.resolved',
    data: { severity: 'info', host: system.host, reason: expect.stringContaining('SIGKILL') },
  });

  // restart-loop: half of the budget; a command clears it.
  for (const generation of [1, 2]) {
    const { pid = 0 } = await system.waitFor(
      'looping',
      (facts) => facts.generation === generation && facts.ready === 'yes',
    );
    await killHard(pid);
  }
  await hears('looping', 'restart-loop', 'firing');

  // unhealthy, with the prober killed while it fires: healthy again is told once, by its successor.
  await writeFile(sick, '');
  await hears('web', 'unhealthy', 'firing');
  const prober = await system.waitUntilReady('health-prober');
  await killHard(prober.pid ?? 0);
  await killHard(
    (await system.waitFor('crashing', ({ generation, ready }) => generation === 2 && ready === 'yes')).pid ?? 0,
  );
  await rm(sick);
  await hears('web', 'unhealthy', 'firing', 'resolved');
  await hears('crashing', 'restarted', 'resolved', 'resolved');
  expect(story('looping', 'restart-loop')).toEqual(['firing']);

  // What had failed is started by a person while it can: over.
  await writeFile(able, '');
  expect(await client.agents.command(system.host, 'start', { service: 'doomed' })).toMatchObject({
    outcome: 'accepted',
  });
  await hears('doomed', 'failed', 'firing', 'resolved');

  // host-gone: the agent is killed, and nobody starts it again.
  const killedAtMs = performance.now();
  await system.killAgent();
  await hears('_', 'host-gone', 'firing');
  expect(performance.now() - killedAtMs).toBeLessThan(HOST_GONE_MS + SLACK_MS);
  await system.startAgent();
  await hears('_', 'host-gone', 'firing', 'resolved');
  expect(new Set(heard.map(({ id }) => id)).size, 'no alert event twice').toBe(heard.length);
});
