/* What nobody keeps any more goes; what an agent keeps, or may keep, stays. */
import { commands, proberCommands, rows } from '@muster/contracts';
import { type Bus, uuidv7 } from '@muster/contracts/bus';
import { FleetClient } from '@muster/contracts/client';
import { eventually } from '@muster/testkit';
import { test, vi } from 'vitest';
import { FAST, startLeadingProber, writeConfig } from './prober-process.ts';
import { SimulatedAgent } from './simulated-agent.ts';
import { brief, Listener, startTestBus } from './test-bus.ts';

// The prober looks every ten seconds, and on a busy machine all else takes as long.
vi.setConfig({ testTimeout: 240_000 });

/** Heartbeats faster than an agent's: what counts is how many in a row say the same. */
const HEARTBEAT_MS = 500;

/** A bus with one agent and somebody who listens. */
async function start() {
  const bus = await startTestBus();
  await writeConfig(bus, FAST);
  const listener = await Listener.start(bus);
  const agent = await SimulatedAgent.start(bus);
  return {
    bus,
    listener,
    agent,
    async [Symbol.asyncDispose]() {
      await agent[Symbol.asyncDispose]();
      await bus[Symbol.asyncDispose]();
    },
  };
}

/** What is stored of a host, in all buckets that tell of it. */
async function storedOf(bus: Bus, host: string): Promise<string[]> {
  const found: string[] = [];
  for (const bucket of ['specs', 'status', 'health', 'alerts'] as const) {
    await new Promise<void>((resolve) => {
      const subscription = bus.kv(bucket).watch({
        onEntry: (key, value) => {
          if (value !== undefined && key.startsWith(`${host}.`)) found.push(`${bucket} ${key}`);
        },
        onReset: () => {},
        onReady: () => {
          subscription.stop();
          resolve();
        },
      });
    });
  }
  return found.sort();
}

test.concurrent('the keys of services that an agent no longer knows of vanish, with their verdicts and alerts; all else stays', async ({
  expect,
}) => {
  await using world = await start();
  const { bus, listener, agent } = world;
  const stored = (host: string) => storedOf(listener.bus, host);
  for (const service of ['api', 'old']) {
    await agent.configure(service, 'http://192.0.2.1/');
    agent.start(service);
  }
  agent.move('old', 'failed', { generation: 1 });
  agent.heartbeat({}, HEARTBEAT_MS);
  await agent.settled();
  await using _prober = await startLeadingProber(bus);
  await eventually(() => listener.alerts.map(brief).includes('failed firing'), { timeoutMs: 60_000 });
  const ofOld = ['alerts web1.old.failed', 'health web1.old.0', 'specs web1.old._', 'status web1.old.0'];
  const untilStored = (...keys: string[]) =>
    eventually(
      async () => {
        const found = await stored('web1');
        return keys.every((key) => found.includes(key));
      },
      { message: `${keys.join(', ')} are stored`, timeoutMs: 60_000 },
    );
  await untilStored(...ofOld, 'status web1.api.0');

  // Its heartbeats say so, but it can't be asked: nothing is removed on that alone.
  agent.lose('old');
  const heardHeartbeats = 7;
  let heartbeats = 0;
  listener.bus.subscribe(rows.hostPresence, {}, () => heartbeats++);
  await eventually(() => heartbeats >= heardHeartbeats, { timeoutMs: 60_000 });
  expect(await stored('web1')).toContain('status web1.old.0');

  agent.answer();
  await eventually(async () => (await stored('web1')).every((key) => !key.includes('.old.')), {
    message: 'an end of what is left of old',
    timeoutMs: 60_000,
  });
  await untilStored('health web1.api.0', 'specs web1.api._', 'status web1.api.0');
  // Told once all is removed.
  const removed = await eventually(async () => {
    const told = await listener.bus.history(rows.proberEvent, {});
    return told.map(({ message }) => message).find(({ kind }) => kind === 'orphaned-keys-removed');
  });
  expect(removed).toMatchObject({ host: 'web1', reason: expect.stringContaining('web1.old.0') });
});

test.concurrent('a host that was taken away is forgotten when somebody says so, not before, and never while it is heard', async ({
  expect,
}) => {
  await using world = await start();
  const { bus, listener, agent } = world;
  const stored = (host: string) => storedOf(listener.bus, host);
  await agent.configure('api');
  agent.start('api');
  await agent.settled();
  await using _prober = await startLeadingProber(bus);
  const operator = await bus.connect({ role: 'operator', id: 'cli' });
  using fleet = new FleetClient({ bus: operator, actor: 'ada' });
  const ask = async () =>
    operator.request(
      proberCommands.remove,
      {},
      { id: uuidv7(), time: new Date().toISOString(), source: 'operator/cli', actor: 'ada', host: 'web1' },
      { timeoutMs: 10_000 },
    );
  await eventually(async () => (await ask()).code === 'wrong-state', { timeoutMs: 60_000 });
  expect(await stored('web1')).toContain('status web1.api.0');

  agent.announce('started');
  await agent.settled();
  const told = async () => [...(await fleet.lastHostEvents(AbortSignal.timeout(60_000))).keys()];
  expect(await told()).toContain('web1');
  agent.fallSilent();
  await eventually(() => listener.alerts.map(brief).includes('host-gone firing'), { timeoutMs: 60_000 });
  expect(await stored('web1')).toContain('status web1.api.0');

  const outcome = await fleet.forgetHost('web1', AbortSignal.timeout(60_000));
  expect(outcome).toEqual({ outcome: 'forgotten', keys: 2 });
  await eventually(() => listener.alerts.map(brief).includes('host-gone resolved'), { timeoutMs: 60_000 });
  await eventually(async () => (await stored('web1')).length === 0, {
    message: 'an end of all that is stored of web1',
    timeoutMs: 60_000,
  });
  expect(await told()).not.toContain('web1');
});

test.concurrent('who waits for a service of another host is told how it stands, with the reason', async ({
  expect,
}) => {
  await using world = await start();
  const { bus, agent } = world;
  const told: { readonly met: boolean; readonly reason: string }[] = [];
  agent.bus.respond(commands.dependency, { host: 'web1' }, async ({ id, met, reason, target, condition }) => {
    expect({ target, condition }).toEqual({ target: 'web2/db', condition: 'ready' });
    told.push({ met, reason });
    const time = new Date().toISOString();
    return { id: uuidv7(), time, source: 'agent/web1', commandId: id, accepted: true, code: 'ok' as const, reason: '' };
  });
  await agent.configure('api', undefined, [{ target: 'web2/db', condition: 'ready' }]);
  agent.start('api');
  const other = await SimulatedAgent.start(bus, 'web2');
  await other.configure('db');
  other.start('db');
  await Promise.all([agent.settled(), other.settled()]);
  await using _prober = await startLeadingProber(bus);
  const next = (is: (word: { met: boolean; reason: string }) => boolean) =>
    eventually(() => told.some(is), { message: `another word than ${JSON.stringify(told)}`, timeoutMs: 60_000 });
  await next(({ met }) => met);
  other.move('db', 'stopped', { generation: 1 });
  await next(({ met, reason }) => !met && reason === 'waits for it to be ready: it is stopped');
  other.fallSilent();
  await next(({ met, reason }) => !met && reason.startsWith('host web2 is not heard for more than'));
  other.move('db', 'running', { generation: 2 });
  await other.settled();
  other.heartbeat();
  await next(({ met }) => met && told.length > 3);
  // The last word is said again before it lapses.
  const before = told.length;
  await eventually(() => told.length > before && told.at(-1)?.met === true, { timeoutMs: 60_000 });
  await other[Symbol.asyncDispose]();
});
