/**
 * What may befall the shim, the parent of each plain process, and the process itself, as the agent tells it: in its states,
 * in its events and in `muster why`.
 */
import { rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { eventually, freePort, isAlive, startMusterSystem, temporaryDirectory } from '@muster/testkit';
import { expect, test } from 'vitest';
import {
  connect,
  killHard,
  linesOf,
  parentOf,
  recentEvents,
  servicesYaml,
  shell,
  storedEvents,
  waitForBus,
} from './support.ts';

/** Runs until its file appears, which holds the exit code, and counts once. */
const UNTIL_TOLD = 'until [ -e "$1" ]; do sleep 0.05; done; code=$(cat "$1"); rm -f "$1"; exit "$code"';

/** Which code to end with. As a whole: a service that finds an empty file would end with 0. */
async function tell(file: string, code: string): Promise<void> {
  await writeFile(`${file}.new`, code);
  await rename(`${file}.new`, file);
}

const GUARDED = path.resolve(import.meta.dirname, '../fixtures/guarded.sh');

test('the shim is killed: its service lives on and is looked after, only the exit code is lost', async () => {
  await using files = await temporaryDirectory();
  const end = path.join(files.path, 'end');
  await using system = await startMusterSystem({
    isEmbedded: false,
    services: servicesYaml({ name: 'api', command: shell(UNTIL_TOLD, end) }),
  });
  const { pid = 0 } = await system.waitUntilReady('api');
  await killHard(parentOf(pid));

  await tell(end, '3');
  const next = await system.waitFor('api', ({ generation, ready }) => generation === 2 && ready === 'yes');
  expect(next.pid).not.toBe(pid);
  const [exit] = (await recentEvents(system, 'api')).filter((event) => event.exit !== undefined);
  expect(exit).toMatchObject({ exit: { code: null, signal: null, known: false }, restarts: 1 });
  expect(exit?.reason).toContain('exit code unknown');
  const why = await system.cli('why', 'api');
  expect(why.code, why.stderr).toBe(0);
  expect(why.stdout).toContain('exit code unknown');

  // The next run has a shim again.
  await tell(end, '4');
  await system.waitFor('api', ({ generation }) => generation === 3);
  expect((await recentEvents(system, 'api')).map((event) => event.exit?.code)).toContain(4);
});

test('shim and agent are killed: the next agent adopts the service, its exit code is unknown', async () => {
  await using files = await temporaryDirectory();
  const end = path.join(files.path, 'end');
  await using system = await startMusterSystem({
    isEmbedded: false,
    services: servicesYaml({ name: 'api', command: shell(UNTIL_TOLD, end) }),
  });
  const { pid = 0 } = await system.waitUntilReady('api');
  const shim = parentOf(pid);
  await system.killAgent();
  await killHard(shim);
  expect(isAlive(pid)).toBe(true);

  await system.startAgent();
  await system.waitFor('api', ({ reason, state }) => state === 'running' && reason === 'adopted');
  expect(await system.waitUntilReady('api')).toMatchObject({ pid, generation: 1, restarts: 0 });
  await tell(end, '3');
  await system.waitFor('api', ({ generation, ready }) => generation === 2 && ready === 'yes');
  const exits = (await recentEvents(system, 'api')).flatMap((event) => event.exit ?? []);
  expect(exits).toEqual([{ code: null, signal: null, known: false }]);
});

test('shim, service and agent are killed: nothing runs, so it is started, and says that the exit code is unknown', async () => {
  await using system = await startMusterSystem({
    isEmbedded: false,
    services: servicesYaml({ name: 'api', command: ['sleep', '600'] }),
  });
  const { pid = 0 } = await system.waitUntilReady('api');
  const shim = parentOf(pid);
  await system.killAgent();
  await killHard(shim);
  await killHard(pid);
  await system.startAgent();
  await system.waitFor('api', ({ generation, ready }) => generation === 2 && ready === 'yes');
  const exits = (await recentEvents(system, 'api')).flatMap((event) => event.exit ?? []);
  expect(exits).toEqual([{ code: null, signal: null, known: false }]);
});

test('a service that ended while no agent lived: the next one knows how, and says so in the stream', async () => {
  await using files = await temporaryDirectory();
  const end = path.join(files.path, 'end');
  await using system = await startMusterSystem({
    services: servicesYaml({ name: 'api', command: shell(UNTIL_TOLD, end) }),
  });
  await waitForBus(system);
  const { pid = 0 } = await system.waitUntilReady('api');
  await system.killAgent();
  await tell(end, '42');
  await eventually(() => !isAlive(pid), { message: 'the end of the service' });

  await system.startAgent();
  await system.waitFor('api', ({ generation, ready }) => generation === 2 && ready === 'yes');
  await using bus = await connect(system);
  const events = await storedEvents(
    bus,
    system.host,
    'api',
    (all) => all.at(-1)?.to === 'running' && all.at(-1)?.generation === 2,
  );
  const exits = events.flatMap(({ reason, exit }) => (exit === undefined ? [] : [{ reason, exit }]));
  expect(exits).toEqual([
    { reason: expect.stringContaining('exit code 42'), exit: { code: 42, signal: null, known: true } },
  ]);
});

test('a grandchild that left the session is gone before the next run starts', async () => {
  await using files = await temporaryDirectory();
  await using system = await startMusterSystem({
    isEmbedded: false,
    services: servicesYaml({
      name: 'api',
      command: [GUARDED, files.path, 'api', 'forking'],
      restart_delay: 0,
      stop_timeout: '300ms',
    }),
  });
  for (const generation of [1, 2]) {
    const { pid = 0 } = await system.waitFor(
      'api',
      (facts) => facts.generation === generation && facts.ready === 'yes',
    );
    await eventually(async () => (await system.tagged()).length >= 2, { message: 'the grandchild' });
    await killHard(pid);
  }
  await system.waitFor('api', (facts) => facts.generation === 3 && facts.ready === 'yes');
  // Running is said at the spawn; the fixture's own word comes a moment later.
  const startsOf = async () => [
    ...(await linesOf(path.join(files.path, 'api.starts'))),
    ...(await linesOf(path.join(files.path, 'violations'))),
  ];
  await eventually(async () => (await startsOf()).length >= 3, { message: 'the word of the third run' });
  expect(await linesOf(path.join(files.path, 'violations'))).toEqual([]);
  expect(await linesOf(path.join(files.path, 'api.starts'))).toHaveLength(3);
  const tags = new Set((await system.tagged()).map(({ tag }) => tag));
  expect(tags).toEqual(new Set(['api/0/3']));
  expect(await system.shutDown()).toBe(0);
  expect(await system.tagged()).toEqual([]);
});

test('a service deaf to SIGTERM is killed after stop_timeout, and its events say so', async () => {
  await using files = await temporaryDirectory();
  await using system = await startMusterSystem({
    isEmbedded: false,
    services: servicesYaml({
      name: 'deaf',
      command: [GUARDED, files.path, 'deaf', 'stubborn'],
      stop_timeout: '400ms',
    }),
  });
  await system.waitUntilReady('deaf');
  await eventually(async () => (await linesOf(path.join(files.path, 'deaf.starts'))).length === 1);
  expect(await system.shutDown()).toBe(0);
  expect(await system.tagged()).toEqual([]);
  const [stopping, stopped] = (await recentEvents(system, 'deaf')).slice(-2);
  expect(stopping).toMatchObject({ from: 'running', to: 'stopping' });
  expect(stopped).toMatchObject({ from: 'stopping', to: 'stopped', desired: 'up' });
  const tookMs = Date.parse(stopped?.time ?? '') - Date.parse(stopping?.time ?? '');
  expect(tookMs).toBeGreaterThanOrEqual(400);
  expect((await system.instances())[0]).toMatchObject({ exit: { code: null, signal: 'SIGKILL', known: true } });
});

test('a service that exits at once is restarted within its budget, then failed, each time with its code', async () => {
  await using system = await startMusterSystem({
    isEmbedded: false,
    services: servicesYaml({ name: 'hasty', command: shell('exit 9'), max_restarts: 3, restart_delay: '100ms' }),
  });
  const failed = await system.waitFor('hasty', ({ state }) => state === 'failed');
  expect(failed).toMatchObject({ generation: 4, restarts: 3, exit: { code: 9, known: true } });
  expect(failed.reason).toMatch(/^exit code 9; .*budget/);
  const events = await recentEvents(system, 'hasty');
  expect(events.filter(({ exit }) => exit?.code === 9)).toHaveLength(4);
  expect(events.filter(({ to }) => to === 'backoff')).toHaveLength(3);
  const why = await system.cli('why', 'hasty', '--json');
  expect(why.code, why.stderr).toBe(0);
  expect(JSON.parse(why.stdout)).toMatchObject({ instance: { status: { state: 'failed', reason: failed.reason } } });
});

test('a service that never gets ready fails its startup, is tried again after a pause, and fails with the reason', async () => {
  const port = await freePort();
  await using system = await startMusterSystem({
    isEmbedded: false,
    services: servicesYaml({
      name: 'mute',
      command: ['sleep', '600'],
      port,
      max_restarts: 2,
      restart_delay: '200ms',
      probes: { startup: { tcp: {}, period: '100ms', failure_threshold: 5 } },
    }),
  });
  const failed = await system.waitFor('mute', ({ state }) => state === 'failed');
  expect(failed.generation).toBe(3);
  expect(failed.reason).toContain(`startup probe of tcp 127.0.0.1:${port} failed: refused`);
  const path = (await recentEvents(system, 'mute')).map(({ to }) => to);
  expect(path).toEqual(
    expect.arrayContaining([
      'starting',
      'stopping',
      'backoff',
      'starting',
      'stopping',
      'backoff',
      'starting',
      'failed',
    ]),
  );
  expect(path).not.toContain('running');
  expect(await system.tagged()).toEqual([]);
});

test('a zombie child holds up neither the restart nor the stop', async () => {
  await using files = await temporaryDirectory();
  const zombies = path.join(files.path, 'zombies');
  // The shell that would have reaped the child becomes a program that does not.
  const leaveZombie = 'sh -c "exit 0" & echo $! >>"$1"; exec sleep 600';
  await using system = await startMusterSystem({
    isEmbedded: false,
    services: servicesYaml({ name: 'api', command: shell(leaveZombie, zombies), restart_delay: 0 }),
  });
  const { pid = 0 } = await system.waitUntilReady('api');
  await eventually(async () => (await linesOf(zombies)).length === 1);
  await killHard(pid);
  await system.waitFor('api', ({ generation, ready }) => generation === 2 && ready === 'yes');
  await eventually(async () => (await linesOf(zombies)).length === 2);
  const [exit] = (await recentEvents(system, 'api')).flatMap((event) => event.exit ?? []);
  expect(exit).toEqual({ code: null, signal: 'SIGKILL', known: true });
  expect(await system.shutDown()).toBe(0);
  expect(await system.tagged()).toEqual([]);
});
