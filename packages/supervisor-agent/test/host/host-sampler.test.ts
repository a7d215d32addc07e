import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { HostSample } from '@muster/contracts';
import { eventually, startShellFixture, temporaryDirectory } from '@muster/testkit';
import { expect, test } from 'vitest';
import { HostSampler } from '../../src/host/host-sampler.ts';
import { readInventory } from '../../src/host/inventory.ts';
import { ProcReader } from '../../src/host/proc-reader.ts';

test('a sample of this host is what the wire expects, and agrees with what Node sees', async () => {
  using sampler = new HostSampler();
  await using busy = await startShellFixture('while :; do :; done');
  const sample = await eventually(() => {
    const latest = sampler.sample();
    return latest.cpuRatio > 0 ? latest : undefined;
  });
  expect(busy.pid).toBeGreaterThan(0);
  expect(HostSample.parse(sample)).toEqual(sample);
  expect(sample.cores).toHaveLength(cpus().length);
  expect(sample.memoryTotalBytes).toBe(totalmem());
  expect(sample.memoryAvailableBytes).toBeGreaterThan(0);
  expect(sample.mounts.map(({ path }) => path)).toContain('/');
  expect(sample.processCount).toBeGreaterThan(1);
  const uptimeSeconds = Number.parseFloat(readFileSync('/proc/uptime', 'utf8'));
  expect(Math.abs(sample.uptimeSeconds - uptimeSeconds)).toBeLessThan(60);
});

test('what a kernel does not offer is absent, and what moves is a rate', async () => {
  await using proc = await temporaryDirectory();
  const write = (name: string, text: string) => writeFile(join(proc.path, name), text);
  await mkdir(join(proc.path, 'net'));
  await write('stat', 'cpu  0 0 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0\n');
  await write('diskstats', '8 0 sda 10 0 100 0 10 0 100 0 0 4294967000 0\n');
  await write('net/dev', 'eth0: 1000 1 0 0 0 0 0 0 500 1 0 0 0 0 0 0\n');
  let nowMs = 0;
  using sampler = new HostSampler({ reader: new ProcReader(proc.path), nowMs: () => nowMs });

  nowMs = 2_000;
  await write('stat', 'cpu  50 0 20 100 20 5 5 0\ncpu0 50 0 20 100 20 5 5 0\n');
  await write('diskstats', '8 0 sda 20 0 300 0 30 0 100 0 0 704 0\n');
  await write('net/dev', 'eth0: 3000 1 4 0 0 0 0 0 100 1 0 0 0 0 0 0\n');
  expect(sampler.sample()).toEqual({
    cpuRatio: 0.4,
    cores: [{ userRatio: 0.25, systemRatio: 0.15, iowaitRatio: 0.1, stealRatio: 0 }],
    load1: 0,
    load5: 0,
    load15: 0,
    memoryTotalBytes: 0,
    memoryAvailableBytes: 0,
    swapTotalBytes: 0,
    swapFreeBytes: 0,
    mounts: [],
    disks: [
      {
        name: 'sda',
        readBytesPerSecond: 51_200,
        writeBytesPerSecond: 0,
        readsPerSecond: 5,
        writesPerSecond: 10,
        busyRatio: 0.5,
      },
    ],
    nics: [
      {
        name: 'eth0',
        receiveBytesPerSecond: 1_000,
        // The counter began anew, so it sent what it shows.
        transmitBytesPerSecond: 50,
        receiveErrorsPerSecond: 2,
        transmitErrorsPerSecond: 0,
      },
    ],
    uptimeSeconds: 0,
    processCount: 0,
  });
});

test('a list longer than the buffer is read whole', async () => {
  await using proc = await temporaryDirectory();
  const text = `${'é'.repeat(50_000)}\n`;
  await writeFile(join(proc.path, 'long'), text);
  using reader = new ProcReader(proc.path);
  expect(reader.readKept('long')).toBe(text);
  expect(reader.readKept('long')).toBe(text);
  expect(reader.read('nothing')).toBeUndefined();
  expect(reader.readKept('nothing')).toBeUndefined();
});

test('the inventory is read once, and giving up is a value', async () => {
  expect(await readInventory(AbortSignal.timeout(50_000))).toMatchObject({
    kind: 'inventory',
    inventory: { cores: cpus().length, memoryTotalBytes: totalmem() },
  });
  expect(await readInventory(AbortSignal.abort(new Error('too slow')))).toEqual({
    kind: 'failed',
    reason: 'cannot read the inventory of this host: too slow',
  });
});
