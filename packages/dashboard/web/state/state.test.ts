import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { diff, type Frame, type PageData } from '../../server/protocol/index.ts';
import type { Fact } from '../../server/view/fleet.ts';
import { render } from '../../server/view/render.ts';
import * as make from '../../test/support/demo-facts.ts';
import { fleetOf } from '../../test/support/fleet-of.ts';
import { retryDelayMs } from '../api/socket.ts';
import { reduce } from './reduce.ts';
import { announce, filterRows, serviceRows, sortedAlerts } from './select.ts';
import { initialState, type State } from './state.ts';
import { trustedPage } from './trust.ts';

const CONTEXT = { environment: 'test', dashboard: 'main' };

function pageAfter(facts: readonly Fact[], nowMs = 1_000): PageData {
  return render(fleetOf([[0, listed], ...facts.map((fact) => [nowMs, fact] as const)]), nowMs, CONTEXT);
}

const listed: Fact = { kind: 'listed', bucket: 'status', entries: new Map() };
const connected: Fact = { kind: 'bus', isConnected: true, reason: 'connected' };
const status = (service: string, changes: Parameters<typeof make.status>[2] = {}): Fact => ({
  kind: 'entry',
  bucket: 'status',
  key: `web1.${service}.0`,
  value: make.status('web1', service, changes),
});
const heartbeat: Fact = { kind: 'host-presence', heartbeat: make.hostHeartbeat('web1') };

function receive(state: State, ...frames: readonly Frame[]): State {
  return frames.reduce((current, frame) => reduce(current, { type: 'frame', frame, nowMs: 100 }), state);
}

const hello: Frame = { type: 'hello', version: 1, epoch: 1, actor: 'kim' };
const snapshot = (page: PageData, seq = 0): Frame => ({ type: 'snapshot', nowMs: 1_000, seq, page });

test('property: a snapshot and its deltas make the page that a fresh snapshot is', () => {
  const fact = fc.oneof(
    fc.constant(connected),
    fc.constant<Fact>({ kind: 'bus', isConnected: false, reason: 'closed' }),
    fc.constant(heartbeat),
    fc
      .tuple(fc.constantFrom('a', 'b'), fc.constantFrom('running' as const, 'failed' as const))
      .map(([name, state]) => status(name, { state })),
    fc
      .constantFrom('a', 'b')
      .map((name): Fact => ({ kind: 'entry', bucket: 'status', key: `web1.${name}.0`, value: undefined })),
  );
  fc.assert(
    fc.property(fc.array(fact, { maxLength: 20 }), (facts) => {
      const pages = facts.map((_, i) => pageAfter(facts.slice(0, i + 1)));
      const first = pageAfter([]);
      let state = receive(initialState(0), hello, snapshot(first));
      let seq = 0;
      for (const [i, page] of pages.entries()) {
        const patch = diff(pages[i - 1] ?? first, page);
        if (patch !== undefined)
          state = receive(state, { type: 'deltas', nowMs: 1_000, deltas: [{ seq: ++seq, patch }] });
      }
      expect(state.page).toEqual(pages.at(-1) ?? first);
    }),
  );
});

describe('frames', () => {
  const page = pageAfter([connected, status('a'), heartbeat]);

  test('a gap asks for a snapshot and keeps what it has', () => {
    const state = receive(initialState(0), hello, snapshot(page, 4), {
      type: 'deltas',
      nowMs: 1_250,
      deltas: [{ seq: 6, patch: { fleet: null } }],
    });
    expect(state.seq).toBeUndefined();
    expect(state.page).toBe(page);
  });

  test('another run of the server voids the number', () => {
    const state = receive(initialState(0), hello, snapshot(page, 4), {
      type: 'hello',
      version: 1,
      epoch: 2,
      actor: 'kim',
    });
    expect(state).toMatchObject({ epoch: 2, page });
    expect(state.seq).toBeUndefined();
  });

  test('a newer protocol is said to be too new', () => {
    expect(receive(initialState(0), { type: 'hello', version: 2, epoch: 1, actor: 'kim' }).isOutdated).toBe(true);
  });

  test("the server's clock is taken from the quickest frame of the connection", () => {
    const at = (nowMs: number, receivedMs: number) => (state: State) =>
      reduce(state, { type: 'frame', frame: { type: 'deltas', nowMs, deltas: [] }, nowMs: receivedMs });
    let state = receive(initialState(0), hello, snapshot(page));
    expect(state.serverMinusLocalMs).toBe(900);
    state = at(2_000, 1_050)(state);
    expect(state.serverMinusLocalMs).toBe(950);
    state = at(3_000, 2_500)(state);
    expect(state.serverMinusLocalMs).toBe(950);
    state = at(3_000, 2_500)(reduce(state, { type: 'lost', nowMs: 2_000 }));
    expect(state.serverMinusLocalMs).toBe(500);
  });
});

test('without a connection nothing is shown as running', () => {
  const live = receive(initialState(0), hello, snapshot(pageAfter([connected, status('a'), heartbeat])));
  expect(trustedPage(live)?.services['web1.a.0']?.state).toBe('running');
  const lost = trustedPage(reduce(live, { type: 'lost', nowMs: 200 }));
  expect(lost?.services['web1.a.0']).toMatchObject({
    state: 'unknown',
    lastState: 'running',
    lastHeardAtMs: 1_000,
    actions: [],
  });
  expect(lost?.fleet.headline).toContain('lost');
  expect(lost?.hosts['web1']?.presence).toBe('blind');
});

test('a command is pending until it is settled, and then told', () => {
  const notice = { id: 1, tone: 'bad', title: 'Stop refused', text: 'why' } as const;
  const sent = reduce(initialState(0), { type: 'command-sent', key: 'web1.a.0', action: 'stop' });
  expect(sent.pending).toEqual({ 'web1.a.0': 'stop' });
  const settled = reduce(sent, { type: 'command-settled', key: 'web1.a.0', notice });
  expect(settled).toMatchObject({ pending: {}, notices: [notice] });
  expect(reduce(settled, { type: 'notice-dismissed', id: 1 }).notices).toEqual([]);
});

describe('selections', () => {
  const page = pageAfter([
    connected,
    heartbeat,
    status('search'),
    status('a', { state: 'failed' }),
    status('own', { system: true }),
  ]);

  test('rows are by name; our own stand apart', () => {
    expect(serviceRows(page, false).map(({ key }) => key)).toEqual(['web1.a.0', 'web1.search.0']);
    expect(serviceRows(page, true).map(({ key }) => key)).toEqual(['web1.own.0']);
  });

  test.each([
    ['', 'all', 2],
    ['', 'problems', 1],
    ['WEB1 search', 'all', 1],
    ['search', 'problems', 0],
    ['failed', 'all', 1],
  ] as const)('text %j and filter %s leave %i', (text, filter, count) => {
    expect(filterRows(serviceRows(page, false), text, filter)).toHaveLength(count);
  });

  test('changes are announced in words, at most three by name', () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    const [before, after] = [
      pageAfter([connected, heartbeat, ...names.map((n) => status(n))]),
      pageAfter([connected, heartbeat, ...names.map((n) => status(n, { state: 'failed' }))]),
    ];
    expect(announce(before, before)).toBe('');
    expect(announce(before, after)).toMatch(
      /^a on web1 is failed\. b on web1 is failed\. c on web1 is failed\. 2 more changed/,
    );
  });

  test('alerts: what fires first, the gravest on top; then the past', () => {
    const alerts = [
      make.alert('web1', 'a', 'restarted', { state: 'resolved', severity: 'info' }),
      make.alert('web1', 'b', 'slow', { severity: 'warning' }),
      make.alert('web1', 'c', 'failed'),
      make.alert('web1', 'd', 'failed', { state: 'acknowledged' }),
    ];
    const entries = new Map(alerts.map((event) => [event.data.fingerprint, event]));
    const { open, past } = sortedAlerts(pageAfter([connected, { kind: 'listed', bucket: 'alerts', entries }]));
    expect(open.map(({ service }) => service)).toEqual(['c', 'b', 'd']);
    expect(past.map(({ service }) => service)).toEqual(['a']);
  });
});

test('property: waiting between tries is bounded and never none', () => {
  fc.assert(
    fc.property(fc.nat(2_000), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (attempt, random) => {
      const waitMs = retryDelayMs(attempt, random);
      expect(waitMs).toBeGreaterThanOrEqual(125);
      expect(waitMs).toBeLessThanOrEqual(5_000);
    }),
  );
});
