import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isRoot, seededRandom } from '@muster/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Exit } from '../../src/core/exit.ts';
import { Bench, buildDriverHost, Host, insist, isGone, never, OTHER_USER, until } from './harness.ts';

const ROUNDS = 60;
const service = fileURLToPath(new URL('fixtures/exclusive.sh', import.meta.url));

let builds: Bench;
let program: string;
beforeAll(() => {
  builds = new Bench();
  program = buildDriverHost(join(builds.folder, 'build'));
});
afterAll(() => builds[Symbol.asyncDispose]());

interface LearnedExit {
  readonly generation: number;
  readonly exit: Exit;
}

test('kill -9 of the agent at any moment: never two copies, no orphan, every exit known', async () => {
  const wantedSeed = process.env['MUSTER_SEED'];
  const random = seededRandom(wantedSeed === undefined ? undefined : Number(wantedSeed));
  console.log(`kill harness: MUSTER_SEED=${random.seed}`);
  await using bench = new Bench();
  const spec = bench.spec([service, bench.folder]);

  for (let round = 0; round < ROUNDS; round += 1) {
    const host = new Host(program, bench, spec);
    // Every step gets its share of the kills: some count from a step that was reported, some from the birth.
    const step = random.pick(['birth', 'starting', 'running', 'prepared', 'stopping', 'exited']);
    await (step === 'birth' ? delay(random.integer(0, 200)) : host.step(step));
    await delay(random.next() * random.next() * 60);
    await host.kill();
  }

  await bench.forget();
  const last = await bench.driver.recover(spec, never);
  expect(bench.lines('problems')).toEqual([]);
  const started = bench.lines('starts').map((line) => Number(line.split(' ')[0]));
  expect(new Set(started).size, 'each generation runs once').toBe(started.length);
  const exits = new Map(
    bench
      .lines('exits')
      .map((line) => JSON.parse(line) as LearnedExit)
      .map((e) => [e.generation, e]),
  );
  if (last.kind === 'run-ended') exits.set(last.generation, last);
  for (const generation of started) {
    if (last.kind === 'run' && last.generation === generation) continue;
    const exit = exits.get(generation)?.exit;
    const own = { kind: 'code', code: (generation % 100) + 1 };
    // Some are stopped by their agent, if they did not end before.
    const isStopped = generation % 5 === 4 && exit?.kind === 'signal';
    expect(exit, `exit of generation ${generation}`).toEqual(isStopped ? { kind: 'signal', signal: 'SIGTERM' } : own);
  }
  expect(started.length).toBeGreaterThan(ROUNDS / 4);

  if (last.kind === 'run') {
    await last.killTree();
    await last.treeGone(never);
  }
  expect(bench.tagged('MUSTER_RUN')).toEqual([]);
  await until('no shim is left', () => bench.tagged('MUSTER_SHIM').length === 0);
}, 600_000);

test('the kills above would be noticed: the fixture reports a second copy', async () => {
  await using bench = new Bench();
  const holder = insist(
    await bench.driver.start(bench.spec(['flock', join(bench.folder, 'lock'), 'sleep', '60']), never),
  );
  await until('the lock is held', () => holder.pids().length > 0 && bench.tagged('MUSTER_RUN').length > 1);
  const second = await bench.start([service, bench.folder], { service: 'second' });
  expect(await second.exited).toEqual({ kind: 'code', code: 99 });
  expect(bench.lines('problems')).toHaveLength(1);
});

test('a run of another user is adopted, and found without a record, also by a root that may not look into it', async (context) => {
  context.skip(!isRoot, 'needs root, to start something as another user');
  await using bench = new Bench();
  const spec = bench.spec(['sleep', '600'], { user: OTHER_USER });
  // What a container leaves of root.
  const weak = ['setpriv', '--bounding-set=-all,+setuid,+setgid,+setpcap,+kill,+chown,+dac_override'];
  const first = new Host(program, bench, spec, weak);
  const { pid = 0 } = await first.step('running');
  await first.kill();
  const second = new Host(program, bench, spec, weak);
  expect(await second.step('adopted')).toMatchObject({ pid });
  await second.kill();

  rmSync(bench.runtimeFolder, { recursive: true });
  const third = new Host(program, bench, spec, weak);
  expect(await third.step('orphan')).toMatchObject({ pids: [pid] });
  await third.kill();
  expect(isGone(pid)).toBe(false);
});
