/* History under kill -9 of the agent and of the bus, by the built agent's own code. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  ROLLUP_BUCKET_SECONDS,
  ROLLUP_TIERS,
  type RollupColumns,
  type RollupTier,
  serviceRollups,
} from '@muster/contracts';
import { setupBus } from '@muster/contracts/admin';
import { openBus } from '@muster/contracts/bus';
import { eventually, seededRandom, startNatsServer, startNodeFixture, temporaryDirectory } from '@muster/testkit';
import { expect, test } from 'vitest';

const KILLS = 8;
/** What one kill may cost: the looks of the minute that was not saved, and the one that was in the ledger only. */
const LOOKS_PER_KILL = 7;
/** Also for what the writer itself waits a minute for: that the bus has all of it. */
const PATIENCE_MS = 90_000;
const WRITER = new URL('fixtures/rollup-writer.mjs', import.meta.url).pathname;

test('killed again and again, with the bus away over the end of chunks: each bucket is told once, a kill costs at most a minute', async () => {
  const random = seededRandom();
  console.log(`rollups: seed ${random.seed}`);
  await using server = await startNatsServer();
  await using directory = await temporaryDirectory();
  await using bus = openBus({ servers: server.url, environment: 'test', role: 'admin', id: 'tester' });
  await bus.connected();
  await setupBus(bus);
  const ledger = join(directory.path, 'ledger');
  const start = () => startNodeFixture(WRITER, [server.url, directory.path, ledger]);
  const looks = async () => (await readFile(ledger, 'utf8').catch(() => '')).trim().split('\n').map(Number);

  for (let kill = 0; kill < KILLS; kill += 1) {
    const isAway = kill % 3 === 1;
    if (isAway) await server.kill();
    await using writer = await start();
    await writer.line('open', PATIENCE_MS);
    const enough = (await looks()).length + random.integer(50, 900);
    await eventually(async () => (await looks()).length >= enough, {
      message: `${enough} looks`,
      timeoutMs: PATIENCE_MS,
    });
    await writer.kill();
    if (isAway) await server.restart();
  }
  await using last = await start();
  await last.line('open', PATIENCE_MS);
  last.child.stdin?.write('finish\n');
  const open = JSON.parse(await last.line(/^\[/, PATIENCE_MS)) as RollupColumns[];

  await bus.connected();
  for (const tier of ROLLUP_TIERS) {
    const stored = await bus.history(serviceRollups[tier], { host: 'web1', service: 'api' });
    const chunks = [...stored.map(({ message }) => message), ...open.filter((chunk) => chunk.tier === tier)];
    const counted = countsOf(chunks);
    const expected = lookedPer(tier, await looks());
    for (const [bucket, count] of counted) expect(count, bucket).toBeLessThanOrEqual(expected.get(bucket) ?? 0);
    const total = (counts: ReadonlyMap<string, number>) => [...counts.values()].reduce((sum, count) => sum + count, 0);
    expect(total(counted)).toBeGreaterThanOrEqual(total(expected) - (KILLS + 1) * LOOKS_PER_KILL);
  }
}, 300_000);

function countsOf(chunks: readonly RollupColumns[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { firstBucketAt, bucketSeconds, series } of chunks) {
    const cpu = series.find(({ name }) => name === 'cpu');
    for (const [at, count] of (cpu?.count ?? []).entries()) {
      if (count === 0) continue;
      const bucket = new Date(Date.parse(firstBucketAt) + at * bucketSeconds * 1_000).toISOString();
      expect(counts.has(bucket), `${bucket} is told once`).toBe(false);
      counts.set(bucket, count);
    }
  }
  return counts;
}

function lookedPer(tier: RollupTier, looks: readonly number[]): ReadonlyMap<string, number> {
  const bucketMs = ROLLUP_BUCKET_SECONDS[tier] * 1_000;
  const counts = new Map<string, number>();
  for (const atMs of looks) {
    const bucket = new Date(Math.floor(atMs / bucketMs) * bucketMs).toISOString();
    counts.set(bucket, (counts.get(bucket) ?? 0) + 1);
  }
  return counts;
}
