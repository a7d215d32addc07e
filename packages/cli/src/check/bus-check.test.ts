import { permissionsFor } from '@muster/contracts';
import type { ConsumerInspection, CopyInspection, StreamInspection } from '@muster/contracts/admin';
import { expect, test } from 'vitest';
import { renderFindings } from '../render/findings.ts';
import { paintPlain } from '../render/paint.ts';
import { type BusFacts, judgeBus } from './bus-check.ts';
import type { Finding } from './finding.ts';

const NOW_MS = Date.parse('2026-11-27T12:00:00Z');
const needed = permissionsFor('development', 'operator', 'cli');
const stream: StreamInspection = {
  name: 'MUSTER_DEVELOPMENT_EVENTS',
  state: 'as-defined',
  details: [],
  leader: undefined,
  copies: [],
  messages: 1_200,
  bytes: 4_096,
  maxBytes: 1_073_741_824,
};
const good: BusFacts = {
  server: { version: '2.12.7', listensOn: '0.0.0.0', address: '10.0.0.5:4222', maxPayloadBytes: 1_048_576 },
  roundTripMs: 0.42,
  clockOffsetMs: -3.4,
  identity: 'operator/cli',
  claims: { name: 'operator/cli', role: 'operator', id: 'cli', publish: needed.publish, subscribe: needed.subscribe },
  needed,
  store: { usedBytes: 5_000_000, maxBytes: -1 },
  mayAskStore: true,
  isApiStrict: true,
  streams: [stream],
  consumers: undefined,
  backlogs: new Map([['web1', 0]]),
};
const copy: CopyInspection = { server: 'n2', isOffline: false, silentMs: 300, lag: 0 };
const kept: StreamInspection = { ...stream, leader: 'n1', copies: [copy, { ...copy, server: 'n3', lag: 2 }] };
const consumer: ConsumerInspection = { stream: stream.name, reader: 'dashboard/main', pending: 3, unacknowledged: 0 };

/** What is not as it must be. */
function complaints(facts: Partial<BusFacts>): readonly Finding[] {
  return judgeBus({ ...good, ...facts }, NOW_MS).filter(({ level }) => level !== 'ok');
}

test('a bus as it must be', () => {
  expect(renderFindings(judgeBus(good, NOW_MS), paintPlain)).toEqual([
    'CHECK        IS  FINDING',
    'connection   ok  10.0.0.5:4222 as operator/cli, round trip 0.4 ms',
    'server       ok  nats-server 2.12.7, listens on 0.0.0.0',
    'payload      ok  messages up to 1 MiB',
    'credentials  ok  they allow what operator/cli needs, and no more',
    'jetstream    ok  stores 4.8 MiB, no limit of the account',
    'streams      ok  all 1 that is visible are as defined, 1200 messages',
    'agents       ok  1 heard, no event waits at any of them',
    "clock        ok  the server's clock is 3 ms behind this machine's, to within 1 ms",
  ]);
});

test.each([
  ['2.9.10', '127.0.0.1', undefined],
  ['2.9.9', '127.0.0.1', 'run nats-server 2.9.10 or newer'],
  ['2.9.25', '0.0.0.0', 'where others can reach it, run nats-server 2.12.0 or newer'],
  ['2.11.9', '10.0.0.5', 'where others can reach it, run nats-server 2.12.0 or newer'],
  ['2.12.0', '10.0.0.5', undefined],
  ['2.15.1', '::', undefined],
  ['2.9.10', 'localhost', undefined],
  ['2.9.10', '127.example.org', 'where others can reach it, run nats-server 2.12.0 or newer'],
])('nats-server %s on %s', (version, listensOn, remedy) => {
  const [found] = complaints({ server: { ...good.server, version, listensOn } });
  expect(found?.level).toBe(remedy === undefined ? undefined : 'problem');
  expect(found?.remedy?.startsWith(remedy ?? '')).toBe(remedy === undefined ? undefined : true);
});

test.each<[string, Partial<BusFacts>, Partial<Finding>]>([
  [
    'a server that others reach and that takes what it cannot read',
    { isApiStrict: false },
    {
      check: 'jetstream',
      level: 'problem',
      remedy: "run nats-server 2.12.0 or newer, without 'strict: false' in its jetstream block",
    },
  ],
  ['a slow link', { roundTripMs: 400 }, { check: 'connection', level: 'warning' }],
  [
    'a small payload',
    { server: { ...good.server, maxPayloadBytes: 262_144 } },
    { check: 'payload', level: 'problem', remedy: 'set max_payload to 1048576 in the configuration of nats-server' },
  ],
  [
    'old credentials',
    { claims: { name: 'operator/cli', publish: needed.publish.slice(1), subscribe: needed.subscribe } },
    { check: 'credentials', level: 'problem', text: `they lack '${needed.publish[0]}'` },
  ],
  [
    'credentials that allow too much',
    { claims: { name: 'operator/cli', publish: ['>'], subscribe: needed.subscribe } },
    { check: 'credentials', level: 'warning', text: "they allow more than operator/cli needs: '>'" },
  ],
  [
    'credentials that end soon',
    { claims: { name: 'x', ...needed, expiresAt: new Date(NOW_MS + 3 * 86_400_000) } },
    { check: 'credentials', level: 'warning', text: 'they end in 3 d' },
  ],
  ['credentials that say nothing', { claims: undefined }, { check: 'credentials', level: 'warning' }],
  [
    'no JetStream',
    { store: undefined, streams: [] },
    { check: 'jetstream', level: 'problem', text: 'JetStream does not answer' },
  ],
  ['a role without JetStream', { mayAskStore: false, store: undefined }, { check: 'jetstream', level: 'warning' }],
  ['a full store', { store: { usedBytes: 95, maxBytes: 100 } }, { check: 'jetstream', level: 'problem' }],
  [
    'a missing stream',
    { streams: [{ ...stream, state: 'missing' }] },
    { check: 'stream', level: 'problem', text: 'MUSTER_DEVELOPMENT_EVENTS is missing', remedy: 'run muster bus setup' },
  ],
  [
    'a stream that differs',
    { streams: [stream, { ...stream, state: 'different', details: ['max_age', 'subjects'] }] },
    {
      check: 'stream',
      level: 'problem',
      text: 'MUSTER_DEVELOPMENT_EVENTS differs from its definition: max_age, subjects',
    },
  ],
  [
    'a newer layout',
    { streams: [{ ...stream, state: 'newer', details: ['layout 2'] }] },
    { check: 'stream', level: 'problem', remedy: 'use that version here as well' },
  ],
  ['a full stream', { streams: [{ ...stream, bytes: 1_073_000_000 }] }, { check: 'stream', level: 'warning' }],
  [
    'a stream without most of its servers',
    { streams: [{ ...stream, state: 'silent', details: ['stream is offline'] }] },
    {
      check: 'stream',
      level: 'problem',
      text: 'MUSTER_DEVELOPMENT_EVENTS is there, and does not answer: stream is offline',
      remedy: 'start the nats-servers that keep it: most of them must live, and till then nothing is stored there',
    },
  ],
  [
    'a server of the cluster that is off',
    {
      streams: [
        {
          ...kept,
          copies: [
            { ...copy, isOffline: true, lag: 7 },
            { ...copy, server: 'n3' },
          ],
        },
      ],
    },
    { check: 'copies', level: 'problem', text: 'n2 is away: 1 of 1 copies there are not kept up' },
  ],
  [
    'one that is not heard',
    {
      streams: [
        stream,
        kept,
        {
          ...kept,
          copies: [
            { ...copy, silentMs: 11_000 },
            { ...copy, server: 'n3' },
          ],
        },
      ],
    },
    { check: 'copies', level: 'problem', text: 'n2 is away: 1 of 2 copies there are not kept up' },
  ],
  [
    'one that lags',
    { streams: [{ ...kept, copies: [copy, { ...copy, server: 'n3', lag: 5_000 }] }] },
    { check: 'copies', level: 'warning', text: 'n3 is behind: MUSTER_DEVELOPMENT_EVENTS by 5000' },
  ],
  [
    'a slow reader',
    { consumers: [consumer, { ...consumer, pending: 40_000 }] },
    {
      check: 'readers',
      level: 'warning',
      text: 'dashboard/main is 40000 messages behind in MUSTER_DEVELOPMENT_EVENTS',
    },
  ],
  [
    'a reader that does not acknowledge',
    { consumers: [{ ...consumer, reader: 'archive', unacknowledged: 2_000 }] },
    {
      check: 'readers',
      level: 'warning',
      text: 'archive is 3 messages behind in MUSTER_DEVELOPMENT_EVENTS, and has not acknowledged 2000',
    },
  ],
  [
    'events that wait',
    {
      backlogs: new Map([
        ['web1', 3],
        ['web2', 0],
        ['web3', 120],
      ]),
    },
    {
      check: 'agents',
      level: 'warning',
      text: 'events wait at 2 of the 3 that are heard: web3 has 120, web1 has 3',
    },
  ],
  ['a clock ahead', { clockOffsetMs: 5_000 }, { check: 'clock', level: 'warning' }],
  ['an unknown clock', { clockOffsetMs: undefined }, { check: 'clock', level: 'warning' }],
])('%s', (_what, facts, expected) => {
  expect(complaints(facts)).toEqual([expect.objectContaining(expected)]);
});

test.each<[string, Partial<StreamInspection>]>([
  ['a leader that is alone', { copies: kept.copies.map((one) => ({ ...one, isOffline: true })) }],
  [
    'no leader',
    {
      leader: undefined,
      copies: ['n1', 'n2', 'n3'].map((server) => ({ ...copy, server, isOffline: server !== 'n1', silentMs: 30_000 })),
    },
  ],
])('a stream with %s stores nothing', (_what, changes) => {
  const found = complaints({ streams: [kept, { ...kept, ...changes }] });
  expect(found).toMatchObject([
    {
      check: 'copies',
      level: 'problem',
      text: 'most servers are away of MUSTER_DEVELOPMENT_EVENTS: nothing is stored there',
    },
    { text: 'n2 is away: 1 of 2 copies there are not kept up' },
    { text: 'n3 is away: 1 of 2 copies there are not kept up' },
  ]);
});

test('copies and readers that are as they must be are said to be', () => {
  const findings = judgeBus({ ...good, streams: [kept], consumers: [consumer], backlogs: undefined }, NOW_MS);
  expect(findings.every(({ level }) => level === 'ok')).toBe(true);
  const texts = findings.filter(({ check }) => ['copies', 'readers', 'agents'].includes(check)).map(({ text }) => text);
  expect(texts).toEqual([
    'all are kept up, by n2, n3 (2 beside those that lead)',
    '1 read streams and buckets, none is far behind',
  ]);
  expect(judgeBus({ ...good, backlogs: new Map() }, NOW_MS)).toContainEqual({
    check: 'agents',
    level: 'ok',
    text: 'none is heard, so none says what waits there',
  });
});

test('every complaint says what to do', () => {
  const all = complaints({
    roundTripMs: 400,
    server: { ...good.server, version: '2.9.10', maxPayloadBytes: 1 },
    claims: { name: 'x', publish: ['>'], subscribe: [] },
    streams: [
      { ...stream, state: 'missing' },
      { ...stream, state: 'silent' },
      {
        ...kept,
        copies: [
          { ...copy, isOffline: true },
          { ...copy, server: 'n3', lag: 5_000 },
        ],
      },
    ],
    consumers: [{ ...consumer, pending: 40_000 }],
    backlogs: new Map([['web1', 1]]),
    clockOffsetMs: 10_000,
  });
  expect(all.length).toBeGreaterThan(10);
  expect(all.filter(({ remedy }) => remedy === undefined)).toEqual([]);
});
