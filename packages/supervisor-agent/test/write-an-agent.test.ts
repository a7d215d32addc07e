/* What docs/write-an-agent.md says of agents is what this one does. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { HostMetrics } from '@muster/contracts';
import { expect, test } from 'vitest';
import { TAKE_OVER_AFTER_MS } from '../src/core/host-claim.ts';
import { measureHost, measureService } from '../src/core/rollup/kept-series.ts';

const ROOT = path.resolve(import.meta.dirname, '../../..');
const text = readFileSync(path.join(ROOT, 'docs/write-an-agent.md'), 'utf8');
const golden = path.join(ROOT, 'packages/contracts/golden/v1/messages/host-metrics.json');
const { sample, services } = HostMetrics.parse(JSON.parse(readFileSync(golden, 'utf8')));
/** Of a row of the table: names and unit of a host's series, then of a service's. */
const rows = text
  .split('\n')
  .filter((line) => line.startsWith('| '))
  .map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );

test.each([
  ['host', 0, sample === undefined ? [] : measureHost(sample)],
  ['service', 2, measureService(services)],
] as const)('each series of a %s is named, with its unit', (_what, column, measured) => {
  expect(measured.length).toBeGreaterThan(4);
  const told = measured.map(({ name, unit }) => {
    const named = `\`${name.startsWith('mount.') ? 'mount.<path>' : name}\``;
    return rows.some((row) => row[column]?.split(', ').includes(named) && row[column + 1]?.startsWith(`\`${unit}\``));
  });
  expect(told).toEqual(measured.map(() => true));
});

test('says when a waiting agent takes over', () => {
  expect(text).toContain(`| silence after which a waiting agent takes a host over | ${TAKE_OVER_AFTER_MS / 1_000} s |`);
});
