/** Ports that somebody else holds: the start says whose they are and leaves nothing behind; a service says so itself. */
import path from 'node:path';
import { type FixtureProcess, freePort, startMusterSystem, startNodeFixture } from '@muster/testkit';
import { expect, test } from 'vitest';
import { prepareSystem, servicesYaml, startLauncher } from './support.ts';

const OCCUPY = path.resolve(import.meta.dirname, '../fixtures/occupy.mjs');
const WEB = path.resolve(import.meta.dirname, '../fixtures/web.mjs');

async function occupy(port: number): Promise<FixtureProcess> {
  const stranger = await startNodeFixture(OCCUPY, [String(port)]);
  await stranger.line('listening');
  return stranger;
}

test.each([
  ['the bus', 'bus.listen in config/agent.yaml'],
  ['the dashboard', 'listen in config/dashboard.yaml'],
] as const)(
  'the port of %s is taken: one line says by whom and what to do, and nothing was started',
  async (what, setting) => {
    await using system = await prepareSystem();
    const port = Number(new URL(what === 'the bus' ? system.busUrl : system.dashboardUrl).port);
    await using stranger = await occupy(port);
    await using launcher = await startLauncher(system);
    expect(await launcher.finished).toEqual({ code: 1, signal: null });
    const told = launcher.lines.filter((line) => line.includes(String(port)));
    expect(told).toEqual([
      expect.stringMatching(`^muster: port ${port} for ${what} is taken by pid ${stranger.pid} \\(.*occupy\\.mjs`),
    ]);
    expect(told[0]).toContain(`set \`${setting}\``);
    expect(await system.tagged()).toEqual([]);
  },
);

test('the port of a service is taken: it is tried within its budget, and its reason says by whom', async () => {
  const port = await freePort();
  await using stranger = await occupy(port);
  await using system = await startMusterSystem({
    isEmbedded: false,
    services: servicesYaml({
      name: 'web',
      command: [process.execPath, WEB],
      port,
      environment: { PORT: String(port) },
      max_restarts: 1,
      restart_delay: '100ms',
    }),
  });
  const { reason } = await system.waitFor('web', ({ state }) => state === 'failed');
  expect(reason).toContain(`port ${port} is held by pid ${stranger.pid}`);
});
