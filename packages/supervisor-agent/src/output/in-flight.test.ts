import { symlinkSync } from 'node:fs';
import { temporaryDirectory } from '@muster/testkit';
import { expect, test } from 'vitest';
import { InFlight, inFlightRecordOf } from './in-flight.ts';

test('of a log file that nobody can look at the loss is told at its most', async () => {
  await using home = await temporaryDirectory();
  const file = `${home.path}/log`;
  symlinkSync(file, file);
  using inFlight = new InFlight(home.path);
  const record = inFlightRecordOf(file);
  inFlight.reading(record, 0);
  inFlight.read(record, 100);
  expect(inFlight.lost()).toEqual({ logFile: file, bytes: 100, isExact: true });
});
