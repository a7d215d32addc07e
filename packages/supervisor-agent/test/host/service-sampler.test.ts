import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ServiceSample } from '@muster/contracts';
import { eventually, type FixtureProcess, startFixture, startShellFixture, temporaryDirectory } from '@muster/testkit';
import { expect, test } from 'vitest';
import { ProcReader } from '../../src/host/proc-reader.ts';
import { ServiceSampler } from '../../src/host/service-sampler.ts';

/** A shell script that leads its own session, killed with all that it started. */
async function startTree(script: string): Promise<FixtureProcess> {
  const fixture = await startShellFixture(script, [], { detached: true });
  return {
    ...fixture,
    async [Symbol.asyncDispose]() {
      process.kill(-fixture.pid, 'SIGKILL');
      await fixture.exited;
    },
  };
}

const api = (fixture: FixtureProcess) => [{ service: 'api', instance: 0, pids: [fixture.pid] }];

test('a busy process shows its share of a core', async () => {
  await using busy = await startTree('while :; do :; done');
  using sampler = new ServiceSampler();
  sampler.sample(api(busy));
  // The machine may be shared with others that are as busy.
  const sample = await eventually(() => sampler.sample(api(busy)).find(({ cpuRatio }) => cpuRatio > 0.2));
  expect(ServiceSample.parse(sample)).toMatchObject({ service: 'api', instance: 0, processes: 1, threads: 1 });
  expect(sample.rssBytes).toBeGreaterThan(100_000);
});

test('children that live shorter than a tick are counted by their parent', async () => {
  const child = 'i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done';
  await using busy = await startTree(`while :; do sh -c '${child}'; done`);
  using sampler = new ServiceSampler();
  sampler.sample(api(busy));
  expect(await eventually(() => sampler.sample(api(busy)).some(({ cpuRatio }) => cpuRatio > 0.2))).toBe(true);
});

test('the first sample is the average since the start', async () => {
  await using idle = await startFixture('sleep', ['600']);
  using sampler = new ServiceSampler();
  const [sample] = await eventually(() => {
    const samples = sampler.sample(api(idle));
    return samples.length > 0 ? samples : undefined;
  });
  expect(sample?.cpuRatio).toBeLessThan(5);
  expect(sample?.uptimeSeconds).toBeGreaterThanOrEqual(0);
});

test('memory is that of the whole tree', async () => {
  const bytes = 150 * 2 ** 20;
  const allocate = `const held = Buffer.alloc(${bytes}, 1); console.log('held', held.length); setInterval(() => {}, 1000);`;
  await using tree = await startTree(`"${process.execPath}" -e "${allocate}" & wait`);
  await tree.line('held');
  using sampler = new ServiceSampler();
  const [sample] = sampler.sample(api(tree));
  expect(sample?.rssBytes).toBeGreaterThan(bytes);
  expect(sample).toMatchObject({ processes: 2 });
  expect(sample?.threads).toBeGreaterThan(2);
});

test('what a process writes to disk is counted', async () => {
  await using directory = await temporaryDirectory();
  const file = join(directory.path, 'written');
  await using tree = await startTree(
    `echo ready; while :; do dd if=/dev/zero of=${file} bs=1M count=4 conv=fsync; done`,
  );
  await tree.line('ready');
  using sampler = new ServiceSampler();
  sampler.sample(api(tree));
  const isWriting = () => sampler.sample(api(tree)).some(({ writeBytesPerSecond = 0 }) => writeBytesPerSecond > 1_000);
  expect(await eventually(isWriting)).toBe(true);
});

test('a grandchild that left session and parents stays in its tree', async () => {
  const script = "sh -c 'setsid sleep 600 & echo child $!; read go'; echo left; exec sleep 600";
  await using tree = await startTree(script);
  using sampler = new ServiceSampler();
  const grandchild = Number((await tree.line('child')).split(' ')[1]);
  try {
    // The two shells and the grandchild.
    expect(await eventually(() => sampler.sample(api(tree))[0]?.processes === 3)).toBe(true);
    tree.child.stdin?.write('go\n');
    await tree.line('left');
    expect(await eventually(() => sampler.sample(api(tree))[0]?.processes === 2)).toBe(true);
    expect(sampler.sample(api(tree))[0]?.processes).toBe(2);
  } finally {
    process.kill(grandchild, 'SIGKILL');
  }
});

test('an ended process has no sample, and its successor starts anew', async () => {
  using sampler = new ServiceSampler();
  const first = await startTree('while :; do :; done');
  await eventually(() => sampler.sample(api(first)).length === 1);
  await first[Symbol.asyncDispose]();
  await eventually(() => sampler.sample(api(first)).length === 0);
  await using second = await startTree('echo ready; sleep 600');
  await second.line('ready');
  const [sample] = sampler.sample(api(second));
  expect(sample?.uptimeSeconds).toBeLessThan(60);
});

test('an unreadable io file leaves the I/O rates out', async () => {
  await using proc = await temporaryDirectory();
  await writeFile(join(proc.path, 'uptime'), '100.00 1.00\n');
  await mkdir(join(proc.path, '7'));
  const stat = (ticks: number) =>
    `7 (a (b) c) S 1 7 7 0 -1 0 0 0 0 0 ${ticks} 0 0 0 20 0 2 0 5000 0 10 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0`;
  await writeFile(join(proc.path, '7', 'stat'), stat(2_500));
  let nowMs = 0;
  using sampler = new ServiceSampler({ reader: new ProcReader(proc.path), nowMs: () => nowMs });
  const instances = [{ service: 'api', instance: 0, pids: [7] }];
  // 25 s of CPU in a life of 50 s.
  expect(sampler.sample(instances)).toEqual([
    {
      service: 'api',
      instance: 0,
      cpuRatio: 0.5,
      rssBytes: expect.any(Number),
      threads: 2,
      processes: 1,
      uptimeSeconds: 50,
    },
  ]);
  await writeFile(join(proc.path, '7', 'stat'), stat(3_500));
  nowMs = 5_000;
  expect(sampler.sample(instances)[0]?.cpuRatio).toBe(2);
});
