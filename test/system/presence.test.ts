/**
 * Presence and truth: real agents on one bus. Who is cut off is unknown in time, and comes back without a restart; of two
 * agents with one host id one speaks; who waits for another host waits with the reason; a lost answer can be asked for.
 */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type ComponentEvent, rows, StatusFile } from '@muster/contracts';
import { FleetClient } from '@muster/contracts/client';
import {
  eventually,
  type FixtureProcess,
  type MusterSystem,
  type MusterSystemOptions,
  startFixture,
  startMusterSystem,
  startTcpFaults,
  type TcpFaults,
} from '@muster/testkit';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { FleetBus } from './fleet-bus.ts';
import { environmentOf, prepareSystem, ROOT_DIR, servicesYaml } from './support.ts';

const HOSTS = ['cut1', 'twin', 'clone', 'app1', 'db1', 'slow1'];
const SLEEP = { command: ['sleep', '600'] } as const;
const LONG_MS = 90_000;

let bus: FleetBus;
beforeAll(async () => {
  bus = await FleetBus.start(HOSTS);
  await bus.startProber();
});
afterAll(() => bus[Symbol.asyncDispose]());

/** A connection to the bus that can be broken, and the options of an agent that uses it. */
async function wired(host: string): Promise<{ faults: TcpFaults; options: MusterSystemOptions }> {
  const faults = await startTcpFaults({ host: '127.0.0.1', port: bus.server.port });
  return { faults, options: { host, bus: bus.of(host, faults.port) } };
}

async function fleetOf(timeoutMs = 2_000): Promise<{ fleet: FleetClient } & AsyncDisposable> {
  const operator = await bus.operator();
  const fleet = new FleetClient({ bus: operator, actor: 'test', timeoutMs });
  await fleet.ready(AbortSignal.timeout(LONG_MS));
  return {
    fleet,
    async [Symbol.asyncDispose]() {
      fleet[Symbol.dispose]();
      await operator[Symbol.asyncDispose]();
    },
  };
}

async function hostEvents(host: string): Promise<readonly ComponentEvent[]> {
  await using operator = await bus.operator();
  return (await operator.history(rows.hostEvent, { host })).map(({ message }) => message);
}

async function statusFile(system: MusterSystem): Promise<StatusFile> {
  return StatusFile.parse(JSON.parse(await readFile(path.join(system.stateDir, 'status.json'), 'utf8')));
}

/** The agent of a prepared system as if its machine had another boot: it sees a boot id of its own. */
async function startElsewhere(system: MusterSystem): Promise<FixtureProcess> {
  const bootId = path.join(system.stateDir, 'boot-id');
  await writeFile(bootId, '00000000-1111-4222-8333-444444444444\n');
  const program = path.join(ROOT_DIR, 'packages/supervisor-agent/bundle/main.js');
  const script = 'mount --bind "$1" /proc/sys/kernel/random/boot_id && shift && exec "$@"';
  const args = ['--mount', 'sh', '-c', script, 'elsewhere', bootId, process.execPath, program];
  return startFixture('unshare', args, { cwd: ROOT_DIR, env: { ...environmentOf(system), MUSTER_EMBEDDED: '0' } });
}

describe.concurrent('on one bus', () => {
  test('a host that is cut off is unknown within 8 s, and nothing is restarted when it is back', async ({ expect }) => {
    const { faults, options } = await wired('cut1');
    await using _faults = faults;
    await using system = await startMusterSystem({ ...options, services: servicesYaml({ name: 'api', ...SLEEP }) });
    const { pid } = await system.waitUntilReady('api');
    await using watching = await fleetOf();
    const { fleet } = watching;
    await eventually(() => fleet.host('cut1').isAlive, { timeoutMs: LONG_MS });

    faults.stall();
    const cutAtMs = performance.now();
    // When it was last said to be heard: how late a busy machine asks for the next time is not meant.
    let heardAtMs = cutAtMs;
    const isUnknown = (): boolean => {
      const { isAlive } = fleet.host('cut1');
      if (isAlive) heardAtMs = performance.now();
      return !isAlive;
    };
    await eventually(isUnknown, { timeoutMs: LONG_MS });
    console.log(`cut off: unknown at the client after ${Math.round(performance.now() - cutAtMs)} ms`);
    expect(heardAtMs - cutAtMs).toBeLessThan(8_000);
    expect(fleet.host('cut1').ageMs).toBeGreaterThan(6_000);
    expect(fleet.host('cut1').heartbeat?.services).toBe(1);

    await faults.heal();
    await eventually(() => fleet.host('cut1').isAlive, { timeoutMs: LONG_MS });
    expect(await system.waitUntilReady('api')).toMatchObject({ pid, generation: 1, restarts: 0 });
    expect(Math.abs(fleet.host('cut1').clockSkewMs ?? 9_999)).toBeLessThan(1_000);
  });

  test('a second agent for one host on the same machine is refused before it starts anything', async ({ expect }) => {
    const options = { host: 'twin', bus: bus.of('twin') };
    await using first = await startMusterSystem({ ...options, services: servicesYaml({ name: 'api', ...SLEEP }) });
    await first.waitUntilReady('api');
    await using watching = await fleetOf();
    await eventually(() => watching.fleet.host('twin').isAlive, { timeoutMs: LONG_MS });

    await using second = await startMusterSystem({ ...options, services: servicesYaml({ name: 'other', ...SLEEP }) });
    expect(await second.agentExit()).toBe(3);
    expect(second.output).toMatch(/cannot start a second agent for host 'twin': agent \w+ on this machine speaks/);
    expect(await second.tagged()).toEqual([]);
    // The first one tells that somebody tried.
    await eventually(async () => (await hostEvents('twin')).some(({ kind }) => kind === 'host-id-taken'), {
      timeoutMs: LONG_MS,
    });
    expect(await first.waitUntilReady('api')).toMatchObject({ generation: 1 });
  });

  test('an agent of another machine supervises and says nothing until the first has been silent', async (ctx) => {
    const { expect } = ctx;
    if (process.getuid?.() !== 0) ctx.skip('needs root: it is given another boot id');
    const options = { host: 'clone', bus: bus.of('clone') };
    await using first = await startMusterSystem({ ...options, services: servicesYaml({ name: 'api', ...SLEEP }) });
    await first.waitUntilReady('api');
    await using watching = await fleetOf();
    const { fleet } = watching;
    const agentIdOf = () => fleet.host('clone').heartbeat?.agentId;
    await eventually(() => agentIdOf() !== undefined, { timeoutMs: LONG_MS });
    const firstId = agentIdOf();

    await using second = await prepareSystem({ ...options, services: servicesYaml({ name: 'other', ...SLEEP }) });
    await using _elsewhere = await startElsewhere(second);
    await second.waitUntilReady('other');
    const { bus: told, agentId } = await eventually(
      async () => {
        const file = await statusFile(second);
        return file.bus.reason === undefined ? undefined : file;
      },
      { timeoutMs: LONG_MS },
    );
    expect(told).toMatchObject({
      connected: false,
      reason: expect.stringMatching(/another agent .* speaks for 'clone'/),
    });
    expect(agentId).not.toBe(firstId);

    // Also over a restart of the first one, which is quicker than the other's patience.
    await first.killAgent();
    await first.startAgent();
    await eventually(() => fleet.host('clone').isAlive, { timeoutMs: LONG_MS });
    const heartbeats: (string | undefined)[] = [];
    fleet.onChange((change) => {
      if (change.kind === 'host-presence' && change.heartbeat.host === 'clone') heartbeats.push(agentIdOf());
    });
    await eventually(() => heartbeats.length >= 3, { timeoutMs: LONG_MS });
    expect(new Set(heartbeats)).toEqual(new Set([firstId]));
    expect([...fleet.snapshot().status.keys()]).not.toContain('clone.other.0');

    // The first one ends: the other speaks, and tells what it had to keep to itself.
    await first.killAgent();
    await eventually(() => agentIdOf() === agentId, { timeoutMs: LONG_MS, message: 'the word of the other agent' });
    await eventually(() => fleet.snapshot().status.has('clone.other.0'), { timeoutMs: LONG_MS });
    const events = await eventually(
      async () => {
        const all = await hostEvents('clone');
        return all.some(({ kind, reason }) => kind === 'bus-connected' && reason.includes('silent')) ? all : undefined;
      },
      { timeoutMs: LONG_MS },
    );
    expect(events.filter(({ kind }) => kind === 'host-id-taken').length).toBeGreaterThanOrEqual(2);
    // What the first one has left is nobody's now, and goes.
    await eventually(() => !fleet.snapshot().status.has('clone.api.0'), {
      timeoutMs: LONG_MS,
      message: 'an end of what the first agent had put',
    });
    expect(await second.waitUntilReady('other')).toMatchObject({ generation: 1 });
  });

  test('a dependency on another host waits with the reason while that host is cut off, and starts when it heals', async ({
    expect,
  }) => {
    const { faults, options } = await wired('db1');
    await using _faults = faults;
    await using database = await startMusterSystem({ ...options, services: servicesYaml({ name: 'pg', ...SLEEP }) });
    await database.waitUntilReady('pg');
    await using application = await startMusterSystem({
      host: 'app1',
      bus: bus.of('app1'),
      services: servicesYaml({ name: 'api', ...SLEEP, dependencies: ['db1/pg'] }),
    });
    await using watching = await fleetOf();
    const { fleet } = watching;
    const { pid } = await application.waitUntilReady('api');

    faults.stall();
    const isGone = () => fleet.snapshot().alerts.get('db1._.host-gone')?.data.state === 'firing';
    await eventually(isGone, { timeoutMs: LONG_MS, message: 'the alert that db1 is gone' });
    // What runs goes on; what falls, waits.
    expect(await application.waitUntilReady('api')).toMatchObject({ pid });
    let killed: number | undefined;
    await eventually(
      async () => {
        const [api] = await application.instances();
        if (api?.state === 'running' && api.pid !== undefined && api.pid !== killed) {
          killed = api.pid;
          process.kill(killed, 'SIGKILL');
        }
        return api?.state === 'pending' && /db1\/pg: host db1 is not heard for more than/.test(api.reason);
      },
      { timeoutMs: LONG_MS, message: 'api waits for db1' },
    );
    await faults.heal();
    const again = await application.waitUntilReady('api');
    expect(again.generation).toBeGreaterThan(1);
    expect(await database.waitUntilReady('pg')).toMatchObject({ generation: 1 });
  });

  test('a command whose answer was lost has an unknown outcome, and its id tells what came of it', async ({
    expect,
  }) => {
    await using system = await startMusterSystem({
      host: 'slow1',
      bus: bus.of('slow1'),
      services: servicesYaml({ name: 'api', ...SLEEP }),
    });
    const muster = (...args: string[]) => system.cli(...args, ...bus.operatorFlags);
    await system.waitUntilReady('api');
    // Nobody answers, so nobody is waited for: the agent takes what was asked of it within 10 s only.
    await using watching = await fleetOf(500);
    const { fleet } = watching;
    await eventually(() => fleet.host('slow1').isAlive, { timeoutMs: LONG_MS });

    process.kill(system.agentPid, 'SIGSTOP');
    const lost = await fleet.command('slow1', 'restart', { service: 'api' });
    expect(lost).toMatchObject({ outcome: 'unknown', code: 'timeout' });
    expect(await fleet.outcome('slow1', lost.commandId)).toMatchObject({ outcome: 'unknown' });
    process.kill(system.agentPid, 'SIGCONT');
    await system.waitFor('api', ({ generation, state }) => generation === 2 && state === 'running');
    const found = await muster('outcome', lost.commandId, '--json');
    expect(found, found.stderr).toMatchObject({ code: 0 });
    expect(JSON.parse(found.stdout)).toMatchObject({ host: 'slow1', outcome: 'done', verb: 'restart', service: 'api' });

    // What no agent has seen: unknown, with the exit code for it.
    const never = await muster('outcome', '01939a00-0000-7000-8000-000000000001', '--host', 'slow1');
    expect(never.code).toBe(4);
    // An agent that is gone leaves its record.
    await system.killAgent();
    const recorded = await muster('outcome', lost.commandId, '--host', 'slow1');
    expect(recorded.stdout).toMatch(/^restart slow1\/api\.0: accepted: its agent does not say now/);
    const undelivered = await muster('stop', 'slow1/api');
    expect(undelivered).toMatchObject({ code: 1, stderr: expect.stringContaining('nothing was sent') });

    const hosts = await muster('hosts', '--json');
    const { hosts: rowsOfHosts } = JSON.parse(hosts.stdout) as { hosts: { kind: string; id: string; state: string }[] };
    expect(rowsOfHosts).toContainEqual(expect.objectContaining({ kind: 'host', id: 'slow1', state: 'unknown' }));
    expect(rowsOfHosts).toContainEqual(expect.objectContaining({ kind: 'prober', id: 'main', state: 'heard' }));
  });
});
