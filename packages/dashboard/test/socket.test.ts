/* /ws over a dashboard that really listens, with a real client. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { eventually } from '@muster/testkit';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { applyPatch, type Frame, type PageData } from '../server/protocol/index.ts';
import { FRAME_INTERVAL_MS } from '../server/ws/hub.ts';
import * as make from './support/demo-facts.ts';
import { startDashboard } from './support/start-dashboard.ts';

/** What the page does with frames, and when they came. */
class Viewer implements AsyncDisposable {
  readonly socket: WebSocket;
  readonly arrivals: { readonly atMs: number; readonly type: Frame['type'] }[] = [];
  page: PageData | undefined;
  epoch: number | undefined;
  seq: number | undefined;

  constructor(url: string, query = '') {
    this.socket = new WebSocket(`${url.replace('http', 'ws')}/ws${query}`);
    this.socket.on('message', (data: Buffer) => this.#receive(JSON.parse(data.toString('utf8')) as Frame));
  }

  #receive(frame: Frame): void {
    this.arrivals.push({ atMs: performance.now(), type: frame.type });
    if (frame.type === 'hello') this.epoch = frame.epoch;
    if (frame.type === 'snapshot') ({ page: this.page, seq: this.seq } = frame);
    if (frame.type !== 'deltas') return;
    for (const { seq, patch } of frame.deltas) {
      if (this.page !== undefined) this.page = applyPatch(this.page, patch);
      this.seq = seq;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.socket.readyState === WebSocket.CLOSED) return;
    this.socket.terminate();
    await once(this.socket, 'close');
  }
}

const connected = { kind: 'bus', isConnected: true, reason: 'connected' } as const;
const heartbeat = (seq: number) => ({ kind: 'host-presence', heartbeat: make.hostHeartbeat('web1', { seq }) }) as const;
const status = (state: 'running' | 'failed') =>
  ({
    kind: 'entry',
    bucket: 'status',
    key: 'web1.rag-api.0',
    value: make.status('web1', 'rag-api', { state }),
  }) as const;
const listed = { kind: 'listed', bucket: 'status', entries: new Map() } as const;
const stateOf = (viewer: Viewer) => viewer.page?.services['web1.rag-api.0']?.state;

test('a snapshot, then changes; two viewers see the same', async () => {
  await using running = await startDashboard();
  running.source.tell(connected, listed, heartbeat(1), status('running'));
  await using one = new Viewer(running.url);
  await eventually(() => stateOf(one) === 'running');
  running.source.tell(heartbeat(2), status('failed'));
  await eventually(() => stateOf(one) === 'failed');
  await using two = new Viewer(running.url);
  await eventually(() => two.page !== undefined);
  expect(two.page?.services).toEqual(one.page?.services);
  expect(one.arrivals.map(({ type }) => type).slice(0, 2)).toEqual(['hello', 'snapshot']);
});

test('a hundred changes a second make at most four frames a second', async () => {
  await using running = await startDashboard();
  running.source.tell(connected, listed, heartbeat(1));
  await using viewer = new Viewer(running.url);
  await eventually(() => viewer.page !== undefined);
  for (let round = 0; round < 5; round += 1) {
    const before = viewer.arrivals.length;
    // An odd number, so that each round ends in another state than the one before.
    for (let i = 0; i < 25; i += 1) running.source.tell(status((i + round) % 2 === 0 ? 'failed' : 'running'));
    await eventually(() => viewer.arrivals.length > before);
  }
  const frames = viewer.arrivals.filter(({ type }) => type !== 'hello');
  const spanMs = (frames.at(-1)?.atMs ?? 0) - (frames[0]?.atMs ?? 0);
  // The first and the last are at the ends of the span; the machine may deliver two of them together, never send them so.
  expect(frames.length - 1).toBeLessThanOrEqual(spanMs / FRAME_INTERVAL_MS + 1);
});

test('a page that blinked gets what it missed, and no snapshot', async () => {
  await using running = await startDashboard();
  running.source.tell(connected, listed, heartbeat(1), status('running'));
  await using before = new Viewer(running.url);
  await eventually(() => stateOf(before) === 'running');
  const { epoch, seq, page } = before;
  await before[Symbol.asyncDispose]();
  running.source.tell(status('failed'));
  await using after = new Viewer(running.url, `?epoch=${epoch}&seq=${seq}`);
  after.page = page;
  await eventually(() => stateOf(after) === 'failed');
  expect(after.arrivals.map(({ type }) => type)).not.toContain('snapshot');
});

test('what a page sends is refused; what a stranger sends changes nothing', async () => {
  await using running = await startDashboard();
  await using viewer = new Viewer(running.url);
  await once(viewer.socket, 'open');
  viewer.socket.send('{"type":"restart"}');
  const [code] = (await once(viewer.socket, 'close')) as [number];
  expect(code).toBe(1003);
  expect(running.source.commands).toEqual([]);
});

test.each([
  ['a stranger', '/ws', 'evil.example', 403],
  ['an address that is none', '//[', 'localhost', 400],
])('%s is refused, and let go also when it never closes its own end', async (_who, address, host, status) => {
  await using running = await startDashboard();
  const stranger = connect({ port: running.port, host: '127.0.0.1', allowHalfOpen: true });
  await once(stranger, 'connect');
  stranger.write(`GET ${address} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
  const [answer] = (await once(stranger, 'data')) as [Buffer];
  expect(answer.toString()).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  const { server } = running.dashboard.app;
  const connections = () =>
    new Promise<number>((resolve, reject) => {
      server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
    });
  await eventually(async () => (await connections()) === 0, { message: 'the socket is closed' });
  stranger.destroy();
});

test('a command that is under way when the dashboard is closed is answered, and audited', async () => {
  const running = await startDashboard();
  const { app } = running.dashboard;
  let closed: Promise<void> | undefined;
  running.source.answer = async (action) => {
    closed = running[Symbol.asyncDispose]();
    await eventually(() => !app.server.listening);
    return { outcome: 'accepted', commandId: 'command-1', code: 'ok', reason: `${action} begins` };
  };
  const headers = { 'content-type': 'application/json' };
  const url = `${running.url}/api/services/web1/rag-api/restart`;
  expect((await fetch(url, { method: 'POST', headers, body: '{}' })).status).toBe(202);
  await closed;
  expect(running.audited).toHaveLength(1);
});

test('closing the dashboard closes its sockets', async () => {
  const running = await startDashboard();
  await using viewer = new Viewer(running.url);
  await once(viewer.socket, 'open');
  const closed = once(viewer.socket, 'close');
  await running[Symbol.asyncDispose]();
  await closed;
  expect(running.dashboard.hub.viewers).toBe(0);
});
