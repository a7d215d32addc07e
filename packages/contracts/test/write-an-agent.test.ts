/* What docs/write-an-agent.md says of the wire is what contracts says; what agents and probers do is held against it there. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { bucketName, keys } from '../src/buckets.ts';
import { keysDigest } from '../src/bus/keys-digest.ts';
import { DEPENDENCY_LEASE_MS, FRESHNESS_MS } from '../src/messages/command.ts';
import {
  BUCKETS_PER_CHUNK,
  MAX_BUCKETS_PER_CHUNK,
  METRICS_PART_BYTES,
  ROLLUP_BUCKET_SECONDS,
} from '../src/messages/metrics.ts';
import { PRESENCE_INTERVAL_MS, PRESENCE_LIMIT_MS } from '../src/messages/presence.ts';
import { observerDelivery } from '../src/observers.ts';
import { chunkId } from '../src/rollups.ts';
import { streamDefinitions } from '../src/stream-definitions.ts';
import type { StreamName } from '../src/streams.ts';

const text = readFileSync(join(import.meta.dirname, '../../../docs/write-an-agent.md'), 'utf8').replaceAll('\n', ' ');
const days = (stream: StreamName): number => {
  const named = streamDefinitions('x').find(({ name }) => name.endsWith(stream.toUpperCase().replace('-', '_')));
  return (named?.maxAgeSeconds ?? 0) / 86_400;
};

test.each([
  ['keys', `\`${keys.spec('<host>', '<service>')}\``],
  ['the bucket of statuses', `\`${bucketName('<env>', 'status')}\``],
  ['the digest', `\`${keysDigest(['web1.rag-api.0', 'web1.rag-api._'])}\``],
  ['heartbeats', `| ${PRESENCE_INTERVAL_MS / 1_000} s; ${PRESENCE_LIMIT_MS / 1_000} s |`],
  ['quotes', `(\`fresh\`) | ${FRESHNESS_MS / 1_000} s |`],
  ['dependencies', `| word of a dependency | ${DEPENDENCY_LEASE_MS / 1_000} s |`],
  ['parts', `above ${METRICS_PART_BYTES / 1_024} KiB`],
  [
    'chunks',
    `at most ${MAX_BUCKETS_PER_CHUNK} buckets of ${Object.values(ROLLUP_BUCKET_SECONDS)
      .join(', ')
      .replace(/, (\d+)$/, ' or $1')} s`,
  ],
  [
    'whole chunks',
    `${Object.values(BUCKETS_PER_CHUNK)
      .join(', ')
      .replace(/, (\d+)$/, ' and $1')} make a whole chunk`,
  ],
  [
    'ids of chunks',
    `\`${chunkId({ host: '<host>', service: '<service or _>', tier: '<tier>' as '1m' }, '<firstBucketAt>')}\``,
  ],
  ['streams', `| events, audit, alerts | ${days('events')}, ${days('audit')}, ${days('alerts')} days |`],
  ['short streams', `| logs, probe results | ${days('logs')} days, ${days('probes') * 24} hour |`],
  ['rollups', `| ${days('rollup-1m')} days, ${days('rollup-15m')} days, ${days('rollup-2h') / 365} years |`],
  ['observers', `\`${observerDelivery('x', 'y').replace('.x.', '.<env>.').replace(/y$/, '<id>')}\``],
])('says the truth of %s', (_what, said) => {
  expect(text).toContain(said);
});

describe('links', () => {
  test('lead somewhere', () => {
    const protocol = readFileSync(join(import.meta.dirname, '../../../docs/protocol.md'), 'utf8');
    const headings = [...protocol.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replace(/[^a-z0-9_ -]/g, '')
        .replaceAll(' ', '-'),
    );
    const wanted = [...text.matchAll(/\(protocol\.md#([^)]+)\)/g)].map(([, heading]) => heading);
    expect(wanted.length).toBeGreaterThan(3);
    expect(wanted.filter((heading) => !headings.includes(heading as string))).toEqual([]);
  });
});
