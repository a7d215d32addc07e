import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { LogSpec } from '@muster/contracts/config';
import { eventually, type TemporaryDirectory, temporaryDirectory } from '@muster/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MemoryStream } from '../../test/support/memory-stream.ts';
import { Envelopes } from '../bus/envelopes.ts';
import { LogShipping, logFilesOf } from './log-shipping.ts';

const SPEC: LogSpec = { ship: true, rateBytesPerSecond: 1e6, burstBytes: 1e6 };

let home: TemporaryDirectory;
beforeEach(async () => {
  home = await temporaryDirectory();
});
afterEach(() => home[Symbol.asyncDispose]());

function open(stateDir: string, bus: MemoryStream, onProblem: (reason: string | undefined) => void = () => {}) {
  mkdirSync(path.join(stateDir, 'logs'), { recursive: true });
  return new LogShipping({ host: 'web1', stateDir, bus, envelopes: new Envelopes('web1', 1), onProblem });
}

function textsOf(stream: MemoryStream): string[] {
  return stream.batches.flatMap(({ lines }) => lines.map(({ text }) => text));
}

test('what is not to be shipped is not; a flush sends the rest, also a line without an end', async () => {
  const stream = new MemoryStream();
  using shipping = open(home.path, stream);
  shipping.add('api', 0, 1, SPEC);
  shipping.add('quiet', 0, 1, { ...SPEC, ship: false });
  shipping.start();
  for (const service of ['api', 'quiet']) {
    appendFileSync(logFilesOf(home.path, service, 0).stdout, `of ${service}\nlast words`);
  }
  await shipping.flush(AbortSignal.timeout(20_000));
  expect(textsOf(stream)).toEqual(['of api', 'last words']);
});

test('a flush that the bus does not take ends with its signal', async () => {
  const stream = new MemoryStream();
  stream.faults.push(...Array.from({ length: 100 }, () => 'no-stream' as const));
  using shipping = open(home.path, stream);
  shipping.add('api', 0, 1, SPEC);
  shipping.start();
  appendFileSync(logFilesOf(home.path, 'api', 0).stdout, 'line\n');
  await expect(shipping.flush(AbortSignal.timeout(500))).rejects.toThrow(/timeout/i);
});

test('files that cannot be looked at are told of, and keep nobody else waiting', async () => {
  const stream = new MemoryStream();
  const told: (string | undefined)[] = [];
  using shipping = open(home.path, stream, (reason) => told.push(reason));
  shipping.add('api', 0, 1, SPEC);
  shipping.add('web', 0, 1, SPEC);
  const { stdout } = logFilesOf(home.path, 'api', 0);
  symlinkSync(stdout, stdout);
  appendFileSync(logFilesOf(home.path, 'web', 0).stdout, 'of web\n');
  shipping.start();
  await eventually(() => textsOf(stream).includes('of web'), { timeoutMs: 20_000 });
  await eventually(() => told.length > 0, { timeoutMs: 20_000 });
  expect(told).toEqual([expect.stringContaining('ELOOP')]);
  rmSync(stdout);
  appendFileSync(stdout, 'of api\n');
  await eventually(() => textsOf(stream).includes('of api'), { timeoutMs: 20_000 });
  await eventually(() => told.length > 1, { timeoutMs: 20_000 });
  expect(told.at(-1)).toBeUndefined();
});

test('on a full disk it says so and goes on when there is room', async (ctx) => {
  const disk = path.join(home.path, 'disk');
  mkdirSync(disk);
  try {
    execFileSync('/bin/mount', ['-t', 'tmpfs', '-o', 'size=256k', 'muster-test', disk], { stdio: 'ignore' });
  } catch {
    ctx.skip('needs the right to mount a small file system');
  }
  try {
    const stream = new MemoryStream();
    const told: (string | undefined)[] = [];
    using shipping = open(disk, stream, (reason) => told.push(reason));
    shipping.add('api', 0, 1, SPEC);
    const log = logFilesOf(disk, 'api', 0).stdout;
    appendFileSync(log, 'before\n');
    const filler = path.join(disk, 'filler');
    expect(() => writeFileSync(filler, Buffer.alloc(1_000_000))).toThrow(/ENOSPC/);
    // Both files have room in their last page: short lines, so that it is the journal's that is used up first.
    shipping.start();
    let count = 0;
    await eventually(
      () => {
        try {
          appendFileSync(log, `${(count += 1)}\n`);
        } catch {
          // A service on a full disk fares no better.
        }
        return told.length > 0;
      },
      { message: 'a word about the disk', timeoutMs: 50_000 },
    );
    expect(told[0]).toMatch(/ENOSPC/);
    rmSync(filler);
    appendFileSync(log, '\nafter\n');
    await eventually(() => textsOf(stream).includes('after'), { message: 'the line after', timeoutMs: 50_000 });
    // Said once the line is on record, and not only in the stream.
    await eventually(() => told.length > 1 && told.at(-1) === undefined, { message: 'a word that it is over' });
    const numbers = textsOf(stream).filter((text) => text !== '');
    expect(new Set(numbers).size, 'no line twice').toBe(numbers.length);
  } finally {
    execFileSync('/bin/umount', [disk], { stdio: 'ignore' });
  }
});
