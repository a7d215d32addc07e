import { readdirSync } from 'node:fs';
import { startSmallDisk, temporaryDirectory, whyNoSmallDisk } from '@muster/testkit';
import { expect, test } from 'vitest';
import { makeReserve, spendReserve } from './state-reserve.ts';

test('the reserve is spent on a full disk only, and made again once there is room for more', async (context) => {
  const reason = whyNoSmallDisk();
  context.skip(reason !== undefined, reason);
  await using disk = await startSmallDisk(8);
  const directory = disk.seenPath;
  expect(spendReserve(directory), 'nothing to spend').toBe(false);
  makeReserve(directory);
  expect(readdirSync(directory)).toEqual(['reserve']);
  expect(spendReserve(directory), 'there is room').toBe(false);
  await disk.fill();
  expect(spendReserve(directory)).toBe(true);
  expect(spendReserve(directory), 'once').toBe(false);
  makeReserve(directory);
  expect(readdirSync(directory), 'not with what it has just given').toEqual(['filler']);
  await disk.makeRoom();
  makeReserve(directory);
  expect(readdirSync(directory)).toEqual(['reserve']);
});

test('a directory that is not there has none', async () => {
  await using home = await temporaryDirectory();
  const nowhere = `${home.path}/nowhere`;
  expect(spendReserve(nowhere)).toBe(false);
});
