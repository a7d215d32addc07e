import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { rows } from '@muster/contracts';
import type { TestBus } from '@muster/contracts/testing';
import { eventually } from '@muster/testkit';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startLeadingProber, startProber, writeConfig } from './prober-process.ts';
import { SimulatedAgent } from './simulated-agent.ts';
import { brief, Listener, startTestBus } from './test-bus.ts';

// On a busy machine it takes long until a prober leads, and each step after that is waited for patiently.
vi.setConfig({ testTimeout: 240_000 });

let bus: TestBus;
beforeEach(async () => {
  bus = await startTestBus();
});
afterEach(() => bus[Symbol.asyncDispose]());

test('TERM ends it in order: its last word is in the stream', async () => {
  const listener = await Listener.start(bus);
  await using prober = await startLeadingProber(bus);
  expect(await prober.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  const events = await listener.bus.history(rows.proberEvent, {});
  expect(events.map(({ message }) => message.kind)).toEqual(['started', 'lease-won', 'lease-lost', 'stopping']);
});

test('TERM ends it also while there is no bus', async () => {
  await bus.server.kill();
  await using prober = await startProber(bus);
  await prober.line('starting');
  expect(await prober.kill('SIGTERM')).toEqual({ code: 0, signal: null });
});

test('all that is wrong with its configuration is told at once, with the place, and it ends with 2', async () => {
  await writeConfig(bus, 'interval: soon\nretries: 5\n');
  await using prober = await startProber(bus, { env: { MUSTER_PROBER_ID: 'Not An Id' } });
  expect(await prober.exited).toEqual({ code: 2, signal: null });
  const file = join(bus.stateDir, 'config', 'prober.yaml');
  const output = prober.lines.join('\n');
  expect(output).toContain(`${file}:1:11: 'interval' is "soon"; write a duration`);
  expect(output).toContain(`${file}:2:1: unknown key "retries"; did you mean 'attempts'?`);
  expect(output).toContain('MUSTER_PROBER_ID: the environment variable has a bad value');
});

test('a state directory that is none ends it with 1', async () => {
  const file = join(bus.stateDir, 'file');
  await writeFile(file, '');
  await using prober = await startProber(bus, { env: { MUSTER_STATE_DIR: file } });
  expect(await prober.exited).toEqual({ code: 1, signal: null });
});

test('it says every 2 s that it lives, and what it does', async () => {
  const listener = await Listener.start(bus);
  const heartbeats: boolean[] = [];
  listener.bus.subscribe(rows.proberPresence, { prober: 'main' }, ({ leading }) => heartbeats.push(leading));
  await listener.bus.flush();
  await using _prober = await startLeadingProber(bus);
  const leading = await eventually(
    () => {
      const found = heartbeats.filter((isLeading) => isLeading);
      return found.length >= 2 ? found : undefined;
    },
    { timeoutMs: 60_000 },
  );
  expect(leading.length).toBeGreaterThanOrEqual(2);
});

test('a second prober stands by, and takes over from one that was killed: all is told, nothing twice', async () => {
  const listener = await Listener.start(bus);
  await using agent = await SimulatedAgent.start(bus);
  agent.start('api');
  agent.start('web');
  await agent.settled();
  const first = await startLeadingProber(bus);
  await using second = await startProber(bus, { id: 'spare' });
  await second.line('bus connected');
  agent.move('api', 'failed');
  // A subscriber may hear an alert a moment before it is stored.
  await eventually(async () => (await listener.stored()).length === 1);
  const killedAtMs = performance.now();
  await first.kill('SIGKILL');
  // Untold by anybody when the second takes over.
  agent.crash('web');
  agent.move('api', 'running', { generation: 2 });
  await second.line('leading: judges from now on', 60_000);
  console.log(`taken over after ${Math.round(performance.now() - killedAtMs)} ms`);
  await eventually(() => listener.alerts.length >= 3, { timeoutMs: 40_000 });
  const told = listener.alerts.map((alert) => `${alert.source} ${brief(alert)}`);
  expect(told.sort()).toEqual([
    'prober/main failed firing',
    'prober/spare failed resolved',
    'prober/spare restarted resolved',
  ]);
});
