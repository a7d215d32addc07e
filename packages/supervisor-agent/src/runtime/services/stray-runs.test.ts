import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MemoryDriver } from '../../../test/support/memory-driver.ts';
import { stopStrayRuns } from './stray-runs.ts';

let runtimeFolder: string;
beforeEach(() => {
  runtimeFolder = mkdtempSync(path.join(tmpdir(), 'muster-strays-'));
});
afterEach(() => rmSync(runtimeFolder, { recursive: true }));

async function stopStrays(driver: MemoryDriver, configured: readonly string[], folder = runtimeFolder) {
  const found: string[] = [];
  await stopStrayRuns({
    runtimeFolder: folder,
    agentId: 'a1',
    driver,
    configured: new Set(configured),
    onFound: (service, pid) => found.push(`${service} ${pid}`),
  });
  return found;
}

test('a run that nobody configures any more is told, then stopped; the others go on', async () => {
  const driver = new MemoryDriver();
  for (const [service, folder] of [
    ['api', 'api.0'],
    ['old', 'old.0'],
  ] as const) {
    driver.leaveBehind(service, 1);
    mkdirSync(path.join(runtimeFolder, folder));
  }
  expect(await stopStrays(driver, ['api.0'])).toEqual(['old 1001']);
  expect(driver.log).toEqual(['SIGTERM old']);
});

test('what is no folder of an instance, or has no live run, is left alone', async () => {
  const driver = new MemoryDriver();
  for (const folder of ['ended.0', 'UPPER.0', 'no-number', 'scripts', 'x.12345']) {
    mkdirSync(path.join(runtimeFolder, folder));
  }
  expect(await stopStrays(driver, [])).toEqual([]);
  expect(await stopStrays(driver, [], path.join(runtimeFolder, 'gone'))).toEqual([]);
  expect(driver.log).toEqual([]);
});
