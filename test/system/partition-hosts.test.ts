/**
 * Hosts are cut off from the bus and come back. Agents go on by themselves; who watches is told that it does not know; on
 * reconnect nothing healthy is restarted, and what happened meanwhile arrives once and in order.
 */
import { commands, type InstanceEvent, rows } from '@muster/contracts';
import { uuidv7 } from '@muster/contracts/bus';
import { FleetClient } from '@muster/contracts/client';
import {
  eventually,
  type MusterSystem,
  seededRandom,
  startTestNetwork,
  temporaryDirectory,
  whyNoTestNetwork,
} from '@muster/testkit';
import { expect, test } from 'vitest';
import { startHub } from './hub.ts';
import { expectWholeStory, Ledger } from './ledger.ts';
import { newSeed } from './seed.ts';
import { servicesYaml, shell, storedEvents } from './support.ts';

/** Who asks later than this after the cut is not told that the host is heard. */
const UNKNOWN_WITHIN_MS = 8_000;
/** A dead connection is noticed after two unanswered pings, 5 s each, and made again within a second. */
const RECONNECT_WITHIN_MS = 60_000;
/** Its default, which is free in a network of its own. */
const DASHBOARD_PORT = 8003;
const SERVICES = ['alpha', 'beta'] as const;

interface Page {
  readonly hosts: { readonly rows: readonly { readonly host: string; readonly presence: string }[] };
  readonly services: { readonly rows: readonly { readonly host: string; readonly state: string }[] };
}

test('a host is cut off: it goes on, is shown as unknown, and comes back with its story', async (context) => {
  const reason = whyNoTestNetwork();
  context.skip(reason !== undefined, reason);
  const random = seededRandom(newSeed('partition-hosts'));
  await using network = await startTestNetwork(['hub', 'web1', 'web2']);
  const [place, cutOff] = [network.host('hub'), network.host('web1')];
  await using hub = await startHub({ hosts: ['web1', 'web2'], on: place });
  await using files = await temporaryDirectory();
  await using otherFiles = await temporaryDirectory();
  const [ledger, otherLedger] = [new Ledger(files.path, SERVICES), new Ledger(otherFiles.path, SERVICES)];
  await using system = await hub.join('web1', ledger.services, { on: cutOff });
  await using other = await hub.join('web2', otherLedger.services, { on: network.host('web2') });
  await using dashboard = await hub.program('dashboard');
  const door = await place.open(DASHBOARD_PORT, '127.0.0.1');
  const page = async (): Promise<Page> => {
    const response = await fetch(`http://127.0.0.1:${door.port}/api/dashboard-data`);
    if (!response.ok) throw new Error(`${response.status}: ${dashboard.lines.join('\n')}`);
    return (await response.json()) as Page;
  };
  const presenceOf = async (host: string) => (await page()).hosts.rows.find((row) => row.host === host)?.presence;
  await using bus = await hub.connect();
  using client = new FleetClient({ bus, actor: 'partition test', timeoutMs: 2_000 });
  await ledger.settled(system);
  await otherLedger.settled(other);
  for (const host of ['web1', 'web2']) {
    await eventually(async () => (await presenceOf(host)) === 'heard', { message: `${host} heard`, timeoutMs: 60_000 });
    // The client has ears of its own, which may have missed the heartbeat that the dashboard has heard.
    await eventually(() => client.host(host).isAlive, { message: `${host} heard by the client`, timeoutMs: 60_000 });
  }

  await cutOff.cut();
  const cutAtMs = performance.now();
  // Just now it was heard, so the command is sent, and nobody knows what came of it.
  expect(await client.agents.command('web1', 'restart', { service: 'alpha' })).toMatchObject({ outcome: 'unknown' });
  // How long an answer takes on its way is not meant, but what it says of the moment when it was asked for.
  let shownAtMs = cutAtMs;
  const isUnknown = async (): Promise<boolean> => {
    const askedAtMs = performance.now();
    const isAlive = (await presenceOf('web1')) === 'heard';
    if (isAlive) shownAtMs = askedAtMs;
    return !isAlive;
  };
  await eventually(isUnknown, { message: 'web1 unknown', timeoutMs: 60_000 });
  console.log(`partition: cut off -> shown as unknown after ${Math.round(performance.now() - cutAtMs)} ms`);
  expect(shownAtMs - cutAtMs).toBeLessThanOrEqual(UNKNOWN_WITHIN_MS);
  const states = (await page()).services.rows.filter(({ host }) => host === 'web1').map(({ state }) => state);
  expect(states).toEqual(SERVICES.map(() => 'unknown'));
  await eventually(async () => (await presenceOf('web2')) === 'heard', { message: 'web2 heard all the same' });
  // Now it is asked first, so it is certain that nothing was done.
  await eventually(() => !client.host('web1').isAlive, { message: 'web1 unknown to the client' });
  const late = await client.agents.command('web1', 'restart', { service: 'alpha' });
  expect(late).toMatchObject({ outcome: 'undelivered' });

  for (let crash = 0; crash < 4; crash += 1) await ledger.crash(random);
  await ledger.settled(system);
  const before = { agent: system.agentPid, pids: await ledger.pids() };
  await cutOff.heal();
  await eventually(async () => (await presenceOf('web1')) === 'heard', {
    message: 'web1 heard again',
    timeoutMs: RECONNECT_WITHIN_MS,
  });
  await expectWholeStory(ledger, system, bus);
  expect({ agent: system.agentPid, pids: await ledger.pids() }, 'nothing healthy was restarted').toEqual(before);
  await expectWholeStory(otherLedger, other, bus);
  // It can be asked about; it was never carried out, since what it had quoted was too old when it arrived.
  const asked = await bus.request(
    commands.outcome,
    { host: 'web1' },
    {
      id: uuidv7(),
      time: new Date().toISOString(),
      source: 'operator/cli',
      actor: 'partition test',
      of: late.commandId,
    },
    { timeoutMs: 10_000 },
  );
  expect(asked).toMatchObject({ outcome: 'unknown' });
  using patient = new FleetClient({ bus, actor: 'partition test', timeoutMs: 30_000 });
  await eventually(() => patient.host('web1').isAlive, { message: 'web1 heard by the client', timeoutMs: 60_000 });
  expect(await patient.agents.command('web1', 'restart', { service: 'beta' })).toMatchObject({ outcome: 'accepted' });
});

test('a host is cut off while its services start, stop and restart, one way or both', async (context) => {
  const reason = whyNoTestNetwork();
  context.skip(reason !== undefined, reason);
  await using network = await startTestNetwork(['hub', 'web1']);
  await using hub = await startHub({ hosts: ['web1'], on: network.host('hub') });
  const cutOff = network.host('web1');
  // Every step of its life takes a second, so that a cut falls into it.
  const slow = {
    name: 'slow',
    command: shell('trap "sleep 1; exit 0" TERM; sleep 1; : >"$1"; while :; do sleep 0.1; done', '/dev/null'),
    stop_timeout: '10s',
  };
  await using system = await hub.join('web1', servicesYaml(slow), { on: cutOff });
  await using bus = await hub.connect();
  // An answer that comes late is waited for: asked once more, a restart would be made once more.
  using client = new FleetClient({ bus, actor: 'partition test', timeoutMs: 20_000 });
  await system.waitUntilReady('slow');

  let generation = 1;
  for (const { verb, cut, end } of [
    { verb: 'stop', cut: () => cutOff.cut(), end: 'stopped' },
    { verb: 'start', cut: () => cutOff.drop('from'), end: 'running' },
    { verb: 'restart', cut: () => cutOff.drop('to'), end: 'running' },
  ] as const) {
    await eventually(
      async () => (await client.agents.command('web1', verb, { service: 'slow' })).outcome === 'accepted',
      {
        message: `${verb} accepted`,
        timeoutMs: RECONNECT_WITHIN_MS,
      },
    );
    await cut();
    if (verb !== 'stop') generation += 1;
    await system.waitFor('slow', (facts) => facts.state === end && facts.generation === generation, `${verb} done`);
    await cutOff.heal();
    await expectToldInOrder(bus, system, end, generation);
  }
  expect(generation, 'two more runs, and no other').toBe(3);
});

/** The stream ends with what is, and tells each step on the way there once. */
async function expectToldInOrder(
  bus: Parameters<typeof storedEvents>[0],
  system: MusterSystem,
  end: string,
  generation: number,
): Promise<void> {
  const isComplete = (events: readonly InstanceEvent[]) => {
    const last = events.at(-1);
    return last?.to === end && last.generation === generation && (end !== 'running' || last.ready === 'yes');
  };
  const events = await storedEvents(bus, system.host, 'slow', isComplete);
  expect(new Set(events.map(({ id }) => id)).size, 'no event twice').toBe(events.length);
  expect(
    events.slice(1).map(({ from }) => from),
    'no event lost',
  ).toEqual(events.slice(0, -1).map(({ to }) => to));
  await eventually(
    async () => (await bus.history(rows.instanceEvent, { host: system.host })).length === events.length,
    { message: 'no event of anything else', timeoutMs: 60_000 },
  );
}
