/**
 * A bus that goes back in time under those who use it: an older store is put back, and later all of it is lost. What it had
 * acknowledged comes again, by the same ids, and what happens meanwhile behind it. Nothing waits for ever.
 */
import { cp, rm } from 'node:fs/promises';
import path from 'node:path';
import { type AlertEvent, comparePositions, type InstanceEvent, proberCommands, rows } from '@muster/contracts';
import { setupBus } from '@muster/contracts/admin';
import { type Bus, uuidv7 } from '@muster/contracts/bus';
import { type LogEntry, readLogs } from '@muster/contracts/client';
import { eventually, type MusterSystem, startMusterSystem, temporaryDirectory } from '@muster/testkit';
import { expect, test, vi } from 'vitest';
import { FleetBus } from './fleet-bus.ts';

vi.setConfig({ testTimeout: 240_000 });

const HOST = 'web1';
const SERVICES = `services:
  - name: api
    command: sleep 1d
  - name: quiet
    command: sleep 1d
  - name: printer
    command: sh -c 'n=0; while :; do n=$((n+1)); echo line $n; sleep 0.2; done'
`;
const LATE = { timeoutMs: 90_000 };

async function crash(system: MusterSystem, service: string): Promise<void> {
  const { pid = 0, generation } = await system.waitFor(
    service,
    ({ state, pid }) => state === 'running' && pid !== undefined,
  );
  process.kill(pid, 'SIGKILL');
  await system.waitFor(service, (facts) => facts.state === 'running' && facts.generation > generation);
}

async function eventsOf(bus: Bus): Promise<readonly InstanceEvent[]> {
  return (await bus.history(rows.instanceEvent, { host: HOST })).map(({ message }) => message);
}

async function alertsOf(bus: Bus): Promise<readonly AlertEvent[]> {
  return (await bus.history(rows.alert, { host: HOST })).map(({ message }) => message);
}

async function printed(bus: Bus): Promise<readonly LogEntry[]> {
  const entries: LogEntry[] = [];
  const wanted = { host: HOST, service: 'printer' };
  for await (const entry of readLogs(bus, wanted, AbortSignal.timeout(60_000))) entries.push(entry);
  return entries;
}

function textOf(entry: LogEntry): string {
  return entry.kind === 'line' ? entry.line.text : `gap: ${entry.gap.reason}`;
}

async function incarnationOf(bus: Bus): Promise<number> {
  const source = `${bus.role}/${bus.id}`;
  const question = { id: uuidv7(), time: new Date().toISOString(), source, actor: source };
  return (await bus.request(proberCommands.bus, {}, question, { timeoutMs: 5_000 })).incarnation;
}

/** Each event that was ever stored is there, once, in the order of its instance; and so are alerts and lines. */
async function expectNothingLost(
  bus: Bus,
  before: { events: readonly InstanceEvent[]; alerts: readonly AlertEvent[]; lines: number },
) {
  await eventually(
    async () => {
      const ids = new Set((await eventsOf(bus)).map(({ id }) => id));
      expect(before.events.filter(({ id }) => !ids.has(id))).toEqual([]);
      const alertIds = new Set((await alertsOf(bus)).map(({ id }) => id));
      expect(before.alerts.filter(({ id }) => !alertIds.has(id))).toEqual([]);
      expect((await printed(bus)).length).toBeGreaterThan(before.lines);
      return true;
    },
    { ...LATE, message: 'all of it is there' },
  );
  const events = await eventsOf(bus);
  for (const service of ['api', 'quiet', 'printer']) {
    const own = events.filter((event) => event.service === service);
    expect(own).toEqual([...own].sort(comparePositions));
  }
  const alerts = await alertsOf(bus);
  expect(new Set(alerts.map(({ id }) => id)).size).toBe(alerts.length);
  // A cause is told once, however often the prober has begun anew.
  const told = alerts.map(({ data }) => `${data.fingerprint} ${data.state} ${data.causes.at(-1)}`);
  expect(told).toEqual([...new Set(told)]);
  const texts = (await printed(bus)).map(textOf);
  expect(texts).toEqual(texts.map((_text, index) => `line ${index + 1}`));
}

test('an older store is put back, then all is lost: nothing is lost or told twice, and all goes on', async () => {
  await using files = await temporaryDirectory();
  await using fleet = await FleetBus.start([HOST]);
  await fleet.startProber();
  await using system = await startMusterSystem({
    host: HOST,
    services: SERVICES,
    isEmbedded: false,
    bus: fleet.of(HOST),
  });
  await using bus = await fleet.operator();
  await crash(system, 'quiet');
  await crash(system, 'api');
  await eventually(async () => (await alertsOf(bus)).length >= 2, { ...LATE, message: 'alerts of both' });
  await eventually(async () => (await printed(bus)).length > 3, LATE);
  expect(await eventually(() => incarnationOf(bus), LATE)).toBe(1);

  const copy = path.join(files.path, 'copy');
  await fleet.server.stop();
  await cp(fleet.server.storeDir, copy, { recursive: true });
  await fleet.server.restart();
  await eventually(() => bus.isConnected, LATE);

  // What the copy does not know: of one that goes on crashing, and of one that is quiet from then on.
  await crash(system, 'quiet');
  for (let round = 0; round < 3; round += 1) await crash(system, 'api');
  const { generation } = await system.waitFor('quiet', ({ state }) => state === 'running');
  await eventually(async () => (await alertsOf(bus)).length >= 6, { ...LATE, message: 'alerts of all crashes' });
  const lines = (await printed(bus)).length;
  await eventually(async () => (await printed(bus)).length > lines + 5, LATE);
  const before = { events: await eventsOf(bus), alerts: await alertsOf(bus), lines: (await printed(bus)).length };

  await fleet.server.stop();
  await rm(fleet.server.storeDir, { recursive: true });
  await cp(copy, fleet.server.storeDir, { recursive: true });
  await fleet.server.restart();
  await crash(system, 'api');
  await expectNothingLost(bus, before);
  expect(await eventually(() => incarnationOf(bus), LATE)).toBe(2);
  const status = await bus.kv('status').get(`${HOST}.quiet.0`);
  expect(status?.value).toMatchObject({ state: 'running', generation });
  // The prober leads again, and tells what comes.
  await eventually(async () => (await alertsOf(bus)).length >= 7, { ...LATE, message: 'the alert of the last crash' });

  const last = { events: await eventsOf(bus), alerts: await alertsOf(bus), lines: (await printed(bus)).length };
  await fleet.server.restart({ wipe: true });
  await using admin = fleet.open({ role: 'admin', id: 'setup' });
  await admin.connected(AbortSignal.timeout(60_000));
  await setupBus(admin);
  await crash(system, 'api');
  await expectNothingLost(bus, last);
  expect(await eventually(() => incarnationOf(bus), LATE)).toBe(3);
  await eventually(async () => (await alertsOf(bus)).length >= 8, { ...LATE, message: 'an alert after that' });
  await eventually(async () => (await bus.kv('specs').get(`${HOST}.quiet._`)) !== undefined, LATE);
});
