import { MAX_INSTANCES_PER_HOST, PRESENCE_LIMIT_MS } from '@muster/contracts';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as make from '../../test/support/demo-facts.ts';
import { fleetOf } from '../../test/support/fleet-of.ts';
import { emptyFleet, type Fact, type Fleet, type OwnedFleet } from './fleet.ts';
import { fold, LATENCY_POINTS } from './fold.ts';
import { type RenderMemo, render } from './render.ts';

const CONTEXT = { environment: 'test', dashboard: 'main' };
const KEY = 'web1.rag-api.0';

const emptyListing: Fact = { kind: 'listed', bucket: 'status', entries: new Map() };

/** Facts as they come in, each with its monotonic instant; the bucket of states has been read before. */
function learn(...facts: readonly (readonly [atMs: number, fact: Fact])[]): OwnedFleet {
  return fleetOf([[0, emptyListing], ...facts]);
}

const connected: Fact = { kind: 'bus', isConnected: true, reason: 'connected' };
const lost: Fact = { kind: 'bus', isConnected: false, reason: 'closed' };
const heartbeat = (seq: number): Fact => ({ kind: 'host-presence', heartbeat: make.hostHeartbeat('web1', { seq }) });
const running: Fact = { kind: 'entry', bucket: 'status', key: KEY, value: make.status('web1', 'rag-api') };
const listed: Fact = { kind: 'listed', bucket: 'status', entries: new Map([[KEY, make.status('web1', 'rag-api')]]) };
const row = (fleet: Fleet, nowMs: number) => render(fleet, nowMs, CONTEXT).services[KEY];

describe('what is not confirmed lately is unknown', () => {
  test.each([
    [
      'stored state alone',
      [
        [0, connected],
        [1, running],
      ],
      10_000,
      'unknown',
    ],
    [
      'a heartbeat',
      [
        [0, connected],
        [1, running],
        [2, heartbeat(1)],
      ],
      3,
      'running',
    ],
    [
      'a heartbeat just within three intervals',
      [
        [0, connected],
        [1, running],
        [2, heartbeat(1)],
      ],
      2 + PRESENCE_LIMIT_MS,
      'running',
    ],
    [
      'a heartbeat that is too old',
      [
        [0, connected],
        [1, running],
        [2, heartbeat(1)],
      ],
      3 + PRESENCE_LIMIT_MS,
      'unknown',
    ],
    [
      'an old heartbeat told again',
      [
        [0, connected],
        [1, running],
        [2, heartbeat(5)],
        [9_000, heartbeat(4)],
      ],
      9_001,
      'unknown',
    ],
    [
      'the next heartbeat',
      [
        [0, connected],
        [1, running],
        [2, heartbeat(1)],
        [9_000, heartbeat(2)],
      ],
      9_001,
      'running',
    ],
    [
      'our own connection lost',
      [
        [0, connected],
        [1, running],
        [2, heartbeat(1)],
        [3, lost],
      ],
      4,
      'unknown',
    ],
    [
      'back, and heard',
      [
        [0, connected],
        [1, running],
        [2, lost],
        [3, connected],
        [4, heartbeat(1)],
        [5, listed],
      ],
      6,
      'running',
    ],
  ] satisfies [string, [number, Fact][], number, string][])('%s', (_name, facts, nowMs, state) => {
    expect(row(learn(...facts), nowMs)?.state).toBe(state);
  });

  test('property: nothing but a recent heartbeat, over a live connection that has read the states, lets one through', () => {
    const step = fc.record({
      gapMs: fc.integer({ min: 0, max: 9_000 }),
      what: fc.constantFrom('connected', 'lost', 'heartbeat', 'status', 'listed'),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), fc.integer({ min: 0, max: 20_000 }), (steps, laterMs) => {
        let nowMs = 0;
        const fleet = emptyFleet(0);
        let isConnected = false;
        let isListed = false;
        let heardAtMs = Number.NEGATIVE_INFINITY;
        for (const [index, { gapMs, what }] of steps.entries()) {
          nowMs += gapMs;
          const fact = { connected, lost, heartbeat: heartbeat(index + 1), status: running, listed }[what];
          if (what === 'connected' || what === 'lost') isConnected = what === 'connected';
          if (what === 'lost' || what === 'listed') isListed = what === 'listed';
          if (what === 'heartbeat') heardAtMs = nowMs;
          fold(fleet, fact, nowMs);
        }
        nowMs += laterMs;
        const shown = row(fleet, nowMs)?.state;
        const mayBeShown = isConnected && isListed && nowMs - heardAtMs <= PRESENCE_LIMIT_MS;
        expect(shown === undefined || shown === (mayBeShown ? 'running' : 'unknown')).toBe(true);
      }),
    );
  });

  test('an unknown row says what was known, since when, and offers nothing', () => {
    const shown = row(learn([0, connected], [1, running], [2_000, heartbeat(1)]), 20_000);
    expect(shown).toMatchObject({
      state: 'unknown',
      lastState: 'running',
      ready: 'unknown',
      lastHeardAtMs: 2_000,
      actions: [],
    });
    expect(shown?.actionsRefusal).toContain('not heard');
  });

  test.each([
    ['connected for a moment: the heartbeat is awaited', 1_000, 'awaited'],
    ['connected for long: the host is silent', 10_000, 'silent'],
  ])('silence counts from our own connection: %s', (_name, sinceMs, presence) => {
    const fleet = learn([0, connected], [1, heartbeat(1)], [2, lost], [50_000, connected]);
    expect(render(fleet, 50_000 + sinceMs, CONTEXT).hosts['web1']?.presence).toBe(presence);
  });

  test('a dashboard that has slept awaits everybody: what was sent meanwhile it has not read yet', () => {
    const fleet = learn([0, connected], [1, heartbeat(1)], [60_000, { kind: 'overslept' }]);
    expect(render(fleet, 60_500, CONTEXT).hosts['web1']?.presence).toBe('awaited');
  });

  test('a verdict without its prober is unknown, and one on another run is none', () => {
    const health = (generation: number): Fact => ({
      kind: 'entry',
      bucket: 'health',
      key: KEY,
      value: make.verdict('web1', 'rag-api', { generation }),
    });
    const prober: Fact = { kind: 'prober-presence', heartbeat: make.proberHeartbeat('main') };
    const base = [
      [0, connected],
      [1, running],
      [2, heartbeat(1)],
    ] as const;
    expect(row(learn(...base, [3, health(1)], [4, prober]), 5)?.health?.verdict).toBe('healthy');
    expect(row(learn(...base, [3, health(1)]), 5)?.health?.verdict).toBe('unknown');
    expect(row(learn(...base, [3, health(7)], [4, prober]), 5)?.health).toBeUndefined();
  });

  test('samples grow old', () => {
    const sample = {
      service: 'rag-api',
      instance: 0,
      cpuRatio: 0.5,
      rssBytes: 1,
      threads: 1,
      processes: 1,
      uptimeSeconds: 1,
    };
    const metrics: Fact = { kind: 'metrics', metrics: make.metrics('web1', { services: [sample] }) };
    const fleet = learn([0, connected], [1, running], [2, metrics], [29_000, heartbeat(1)], [34_000, heartbeat(2)]);
    expect(row(fleet, 30_002)?.cpuRatio).toBe(0.5);
    expect(row(fleet, 30_003)).not.toHaveProperty('cpuRatio');
  });
});

test('property: what is remembered from look to look changes nothing', () => {
  const sample = {
    service: 'rag-api',
    instance: 0,
    cpuRatio: 0.5,
    rssBytes: 1,
    threads: 1,
    processes: 1,
    uptimeSeconds: 1,
  };
  const facts: readonly ((seq: number) => Fact)[] = [
    () => connected,
    () => lost,
    heartbeat,
    () => running,
    () => ({ kind: 'entry', bucket: 'status', key: KEY, value: undefined }),
    () => ({ kind: 'entry', bucket: 'health', key: KEY, value: make.verdict('web1', 'rag-api') }),
    (seq) => ({ kind: 'prober-presence', heartbeat: make.proberHeartbeat('main', { seq }) }),
    () => ({ kind: 'metrics', metrics: make.metrics('web1', { intervalMs: 1_000, services: [sample] }) }),
    () => ({ kind: 'probe', report: make.probe('web1', 'rag-api') }),
  ];
  const step = fc.record({ gapMs: fc.integer({ min: 0, max: 4_000 }), make: fc.constantFrom(...facts) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const memo: RenderMemo = new Map();
      let nowMs = 0;
      const fleet = emptyFleet(0);
      for (const [index, { gapMs, make: makeFact }] of steps.entries()) {
        expect(render(fleet, nowMs + gapMs, CONTEXT, memo)).toEqual(render(fleet, nowMs + gapMs, CONTEXT));
        nowMs += gapMs;
        fold(fleet, makeFact(index + 1), nowMs);
        expect(render(fleet, nowMs, CONTEXT, memo)).toEqual(render(fleet, nowMs, CONTEXT));
      }
    }),
  );
});

describe('ages', () => {
  test("are by the host's own clock, however wrong it is", () => {
    const wrong = { time: '2031-01-01T00:01:00.000Z' };
    const status = make.status('web1', 'rag-api', { changedAt: '2031-01-01T00:00:00.000Z' });
    const fleet = learn(
      [0, connected],
      [1, { kind: 'entry', bucket: 'status', key: KEY, value: status }],
      [5_000, { kind: 'host-presence', heartbeat: make.hostHeartbeat('web1', wrong) }],
    );
    expect(row(fleet, 5_000)?.enteredAtMs).toBe(5_000 - 60_000);
  });

  test('stand still while the network jitters, and follow a clock that was set', () => {
    const at = (seq: number, time: string): Fact => ({
      kind: 'host-presence',
      heartbeat: make.hostHeartbeat('web1', { seq, time }),
    });
    const before = [
      [0, connected],
      [1, running],
      [1_000, at(1, make.ago(0))],
    ] as const;
    const first = learn(...before);
    const jittered = learn(...before, [3_400, at(2, make.ago(-2))]);
    const stepped = learn(...before, [3_000, at(2, make.ago(-3_600))]);
    expect(row(jittered, 3_500)?.enteredAtMs).toBe(row(first, 3_500)?.enteredAtMs);
    expect(row(stepped, 3_500)?.enteredAtMs).not.toBe(row(first, 3_500)?.enteredAtMs);
  });
});

test('a bus that came back without its buckets confirms nothing, though the host is heard', () => {
  const before = [
    [0, connected],
    [1, running],
    [2, heartbeat(1)],
    [3, lost],
    [4, connected],
    [5, heartbeat(2)],
  ] as const;
  expect(row(learn(...before), 6)).toMatchObject({ state: 'unknown', lastState: 'running', isConfirmed: false });
  expect(row(learn(...before, [7, listed]), 8)?.state).toBe('running');
});

describe('facts', () => {
  test('a listing replaces what was known of its bucket', () => {
    const fleet = learn(
      [0, connected],
      [1, running],
      [2, heartbeat(1)],
      [3, { kind: 'listed', bucket: 'status', entries: new Map() }],
    );
    expect(row(fleet, 4)).toBeUndefined();
  });

  test('a host that was taken away is not shown, until it is heard again', () => {
    const forgotten: Fact = { kind: 'host-forgotten', host: 'web1' };
    const before = [
      [0, connected],
      [1, running],
      [2, heartbeat(1)],
      [3, forgotten],
    ] as const;
    expect([...learn(...before).hosts.keys()]).toEqual([]);
    expect([...learn(...before, [4, heartbeat(2)]).hosts.keys()]).toEqual(['web1']);
  });

  test('of a host that was taken away nothing is remembered either', () => {
    const memo: RenderMemo = new Map();
    const fleet = learn([0, connected], [1, running], [2, heartbeat(1)]);
    render(fleet, 3, CONTEXT, memo);
    expect([...memo.keys()]).toEqual(['web1']);
    fold(fleet, { kind: 'host-forgotten', host: 'web1' }, 4);
    render(fleet, 5, CONTEXT, memo);
    expect([...memo.keys()]).toEqual([]);
  });

  test('a deleted key takes its samples and latencies along', () => {
    const probed: Fact = { kind: 'probe', report: make.probe('web1', 'rag-api') };
    const gone: Fact = { kind: 'entry', bucket: 'status', key: KEY, value: undefined };
    const fleet = learn([0, connected], [1, running], [2, heartbeat(1)], [3, probed], [4, gone], [5, running]);
    expect(row(fleet, 6)).not.toHaveProperty('latencyHistory');
  });

  test('latencies are bounded, failures are gaps, and vantages are not mixed', () => {
    const probe = (durationMs: number, kind: 'prober' | 'agent', status: 'up' | 'down' = 'up'): Fact => ({
      kind: 'probe',
      report: make.probe('web1', 'rag-api', { durationMs, status, vantage: { kind, id: 'x' } }),
    });
    const many = Array.from({ length: 60 }, (_, i) => [i, probe(i, 'prober')] as const);
    const fleet = learn(
      [0, connected],
      [1, running],
      [2, heartbeat(1)],
      ...many,
      [70, probe(1, 'agent')],
      [71, probe(5, 'prober', 'down')],
    );
    const history = row(fleet, 72)?.latencyHistory;
    expect(history).toHaveLength(LATENCY_POINTS);
    expect(history?.slice(-3)).toEqual([58, 59, null]);
  });

  test.each<[string, Fact]>([
    ['a heartbeat', heartbeat(1)],
    ['a state', running],
    ['metrics', { kind: 'metrics', metrics: make.metrics('web1') }],
    ['a probe', { kind: 'probe', report: make.probe('web1', 'rag-api') }],
  ])('%s replaces what is known of its host, and touches nothing else', (_name, fact) => {
    const fleet = learn(
      [0, connected],
      [1, running],
      [2, { kind: 'host-presence', heartbeat: make.hostHeartbeat('web2') }],
    );
    const [before, other] = [fleet.hosts.get('web1'), fleet.hosts.get('web2')];
    const copy = structuredClone(before);
    fold(fleet, fact, 3);
    expect(fleet.hosts.get('web1')).not.toBe(before);
    expect(before, 'what was known is left as it was').toEqual(copy);
    expect(fleet.hosts.get('web2')).toBe(other);
  });
});

test('a heartbeat of the far future mutes its host no longer than until it has lapsed and three others have come', () => {
  const future: Fact = {
    kind: 'host-presence',
    heartbeat: make.hostHeartbeat('web1', { epoch: 4_000_000_000, seq: 1 }),
  };
  const lapsedMs = PRESENCE_LIMIT_MS + 10;
  const heartbeats = (atMs: number) => [2, 3, 4].map((seq): [number, Fact] => [atMs + seq, heartbeat(seq)]);
  const before = [
    [0, connected],
    [1, running],
    [2, heartbeat(1)],
    [3, future],
  ] as const;
  expect(row(learn(...before, ...heartbeats(10)), lapsedMs)?.state, 'it may be the sender').toBe('unknown');
  expect(row(learn(...before, ...heartbeats(lapsedMs)), lapsedMs + 5)?.state).toBe('running');
  const echoes = [1, 2, 3].map((atMs): [number, Fact] => [lapsedMs + atMs, heartbeat(2)]);
  expect(row(learn(...before, ...echoes), lapsedMs + 5)?.state, 'one told again is no sender').toBe('unknown');
});

test('of one host so much is kept, whatever it says of services that nobody knows; what is missing is said', () => {
  const facts = Array.from({ length: 5 }, (_, part): [number, Fact] => {
    const sample = { instance: 0, cpuRatio: 0, rssBytes: 0, threads: 1, processes: 1, uptimeSeconds: 1 };
    const services = Array.from({ length: 900 }, (_s, i) => ({ ...sample, service: `p${part}-s${i}` }));
    return [3, { kind: 'metrics', metrics: { ...make.metrics('web1'), services } }];
  });
  const probes = Array.from({ length: 2_100 }, (_, i): [number, Fact] => [
    4,
    { kind: 'probe', report: make.probe('web1', `s${i}`) },
  ]);
  const excess: Fact = { kind: 'excess', bucket: 'specs', host: 'web1', notTaken: 788 };
  const fleet = learn([0, connected], [1, running], [2, heartbeat(1)], ...facts, ...probes, [5, excess]);
  expect(fleet.hosts.get('web1')?.samples.size).toBe(MAX_INSTANCES_PER_HOST);
  expect(fleet.hosts.get('web1')?.latencies.size).toBe(MAX_INSTANCES_PER_HOST);
  expect(render(fleet, 6, CONTEXT).hosts['web1']?.notShown).toBe(788);
  fold(fleet, { ...excess, notTaken: 0 }, 7);
  expect(render(fleet, 8, CONTEXT).hosts['web1']).not.toHaveProperty('notShown');
});

describe('the verdict in words', () => {
  const listings = (['specs', 'status', 'health', 'alerts'] as const).map((bucket): [number, Fact] => [
    0,
    { kind: 'listed', bucket, entries: new Map() },
  ]);
  const told = (...services: readonly ReturnType<typeof make.status>[]) => {
    const entries = services.map((value): [number, Fact] => [
      1,
      { kind: 'entry', bucket: 'status', key: `web1.${value.service}.0`, value },
    ]);
    return render(learn([0, connected], ...listings, ...entries, [2, heartbeat(1)]), 3, CONTEXT).fleet;
  };
  const one = (service: string, changes: Parameters<typeof make.status>[2] = {}) =>
    make.status('web1', service, changes);

  test.each([
    ['nothing', [], 'No services yet', 'idle'],
    ['one', [one('a')], 'The one service is running', 'good'],
    ['all', [one('a'), one('b')], 'All 2 services running', 'good'],
    [
      'some at rest',
      [one('a'), one('b', { state: 'stopped', desired: 'down' })],
      '1 service running, 1 at rest',
      'good',
    ],
    [
      'a failure',
      [one('a'), one('b', { state: 'failed' }), one('c', { state: 'backoff' })],
      '1 down, 1 recovering, 1 running',
      'bad',
    ],
    ['a first start', [one('a', { state: 'starting' })], '1 starting', 'busy'],
    ['a restart', [one('a', { state: 'starting', restarts: 1 })], '1 recovering', 'busy'],
    ['not ready', [one('a', { ready: 'no' })], '1 not ready', 'warn'],
    [
      'our own trouble',
      [one('a'), one('nats-server', { system: true, state: 'failed' })],
      "Muster's own nats-server is failed",
      'bad',
    ],
  ])('%s', (_name, services, headline, status) => {
    expect(told(...services)).toMatchObject({ headline, status });
  });

  test('blind is said before anything else', () => {
    const { fleet } = render(
      learn([0, connected], ...listings, [1, running], [2, heartbeat(1)], [3, lost]),
      4,
      CONTEXT,
    );
    expect(fleet).toMatchObject({ headline: 'Blind: the bus is away', status: 'unknown' });
    expect(fleet.detail).toContain('closed');
  });
});

test('alerts: firing ones are unconfirmed without their prober; at most 30 of the past', () => {
  const past = Array.from({ length: 40 }, (_, i) =>
    make.alert('web1', `s${i}`, 'restarted', { state: 'resolved', severity: 'info', endsAt: make.ago(i) }),
  );
  const entries = new Map(
    [make.alert('web1', 'rag-api', 'failed'), ...past].map((event) => [event.data.fingerprint, event]),
  );
  const { alerts } = render(learn([0, connected], [1, { kind: 'listed', bucket: 'alerts', entries }]), 2, CONTEXT);
  expect(Object.keys(alerts)).toHaveLength(31);
  expect(alerts['web1/rag-api/failed']).toMatchObject({ state: 'firing', isConfirmed: false });
  expect(alerts['web1/s29/restarted']).toBeDefined();
  expect(alerts['web1/s30/restarted']).toBeUndefined();
});
