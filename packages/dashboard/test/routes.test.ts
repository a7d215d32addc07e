/* REST over a dashboard that really listens: who may ask, what is answered, and in which shape. */
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { SECURITY_HEADERS } from '../server/headers.ts';
import { readUsers } from '../server/users.ts';
import * as make from './support/demo-facts.ts';
import { startDashboard } from './support/start-dashboard.ts';

/** As the audit names who runs this test. */
const ME = readUsers().named(process.getuid?.() ?? -1);

let running: Awaited<ReturnType<typeof startDashboard>>;
beforeAll(async () => {
  running = await startDashboard();
  running.source.tell(
    { kind: 'bus', isConnected: true, reason: 'connected' },
    { kind: 'listed', bucket: 'specs', entries: new Map() },
    { kind: 'listed', bucket: 'status', entries: new Map([['web1.rag-api.0', make.status('web1', 'rag-api')]]) },
    { kind: 'listed', bucket: 'health', entries: new Map() },
    { kind: 'listed', bucket: 'alerts', entries: new Map() },
    { kind: 'host-presence', heartbeat: make.hostHeartbeat('web1') },
  );
});
afterAll(() => running[Symbol.asyncDispose]());
beforeEach(() => {
  running.source.commands.splice(0);
  running.audited.splice(0);
});

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
  json(): unknown;
}

/** `fetch` would not let a test choose its Host. */
async function ask(method: string, path: string, headers: Record<string, string> = {}, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port: running.port, method, path, headers }, (response) => {
      text(response).then((received) => {
        const { statusCode = 0, headers } = response;
        resolve({ status: statusCode, headers, body: received, json: () => JSON.parse(received) as unknown });
      }, reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const JSON_TYPE = { 'content-type': 'application/json' };
const ROUTES = [
  ['GET', '/api/health'],
  ['GET', '/api/dashboard-data'],
  ['GET', '/api/services/web1/rag-api/why'],
  ['POST', '/api/services/web1/rag-api/start'],
  ['POST', '/api/services/web1/rag-api/stop'],
  ['POST', '/api/services/web1/rag-api/restart'],
  ['GET', '/'],
  ['GET', '/nothing/there'],
] as const;

const STRANGERS = [
  ['a rebound name', { host: 'evil.example:8003' }, 'host-refused'],
  ['a name that begins like loopback', { host: '127.0.0.1.evil.example' }, 'host-refused'],
  ['another address of the machine', { host: '192.168.1.20:8003' }, 'host-refused'],
  ['a foreign page', { origin: 'http://evil.example' }, 'origin-refused'],
  ['a page of another port', { origin: 'http://127.0.0.1:3000' }, 'origin-refused'],
  ['a sandboxed page', { origin: 'null' }, 'origin-refused'],
  ['a page that claims https', { origin: 'https://127.0.0.1' }, 'origin-refused'],
] as const;

describe.each(ROUTES)('%s %s', (method, path) => {
  test.each(STRANGERS)('refuses %s', async (_name, headers, code) => {
    const answer = await ask(method, path, { ...JSON_TYPE, ...headers }, method === 'POST' ? '{}' : undefined);
    expect(answer.status).toBe(403);
    expect(answer.json()).toEqual({ error: { code, message: expect.any(String) } });
    expect(running.source.commands).toEqual([]);
  });

  test('carries the security headers', async () => {
    const { headers } = await ask(method, path, JSON_TYPE, method === 'POST' ? '{}' : undefined);
    expect(headers).toMatchObject(SECURITY_HEADERS);
    expect(headers['content-security-policy']).not.toContain('unsafe');
  });
});

describe('/ws', () => {
  test.each(STRANGERS)('refuses %s', async (_name, headers, code) => {
    const client = new WebSocket(`${running.url.replace('http', 'ws')}/ws`, { headers });
    const answer = await new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
      client.on('open', () => reject(new Error('the socket opened')));
      client.on('unexpected-response', (_request, response) => {
        text(response).then((body) => resolve({ status: response.statusCode, body }), reject);
      });
    });
    expect(answer.status).toBe(403);
    expect(JSON.parse(answer.body)).toMatchObject({ error: { code } });
  });
});

test.each(['localhost', '127.0.0.1', '127.8.9.10', '[::1]'])('Host %s and its own page are let in', async (name) => {
  const host = `${name}:${running.port}`;
  expect((await ask('GET', '/api/health', { host, origin: `http://${host}` })).status).toBe(200);
});

test.each(['/%ff', '/api/services/%E0%A4/rag-api/why'])('an address that cannot be decoded: %s', async (path) => {
  const answer = await ask('GET', path);
  expect(answer.status).toBe(400);
  expect(answer.json()).toEqual({ error: { code: 'bad-request', message: expect.stringContaining(path) } });
  expect(answer.headers).toMatchObject(SECURITY_HEADERS);
});

describe('commands', () => {
  const restart = (body = '{}', headers: Record<string, string> = JSON_TYPE) =>
    ask('POST', '/api/services/web1/rag-api/restart', headers, body);

  test('an accepted one is 202 with its id, sent once and audited once', async () => {
    const answer = await restart('{"instance":2}');
    expect([answer.status, answer.json()]).toEqual([
      202,
      { outcome: 'accepted', commandId: 'command-1', code: 'ok', reason: 'restart begins' },
    ]);
    expect(running.source.commands).toEqual([
      { action: 'restart', target: { host: 'web1', service: 'rag-api', instance: 2 }, actor: ME },
    ]);
    expect(running.audited).toMatchObject([{ verb: 'restart', outcome: { outcome: 'accepted' }, actor: ME }]);
  });

  test.each([
    ['unknown-service', 404],
    ['unknown-instance', 404],
    ['system-service', 409],
    ['wrong-state', 409],
    ['stale', 409],
    ['forbidden', 403],
    ['unsupported', 501],
    ['bad-request', 400],
    ['internal', 502],
    ['unknown', 409],
  ] as const)('refused as %s is %i, with the reason', async (code, status) => {
    running.source.answer = async () => ({ outcome: 'refused', commandId: 'c', code, reason: 'because' });
    const answer = await restart();
    expect(answer.status).toBe(status);
    expect(answer.json()).toMatchObject({ error: { message: 'because', outcome: 'refused', commandId: 'c' } });
    expect(running.audited).toHaveLength(1);
  });

  test.each([
    [{ outcome: 'undelivered', commandId: 'c', reason: 'nobody there' }, 503, 'undelivered'],
    [{ outcome: 'unknown', commandId: 'c', reason: 'no answer' }, 504, 'outcome-unknown'],
  ] as const)('%j is %i', async (outcome, status, code) => {
    running.source.answer = async () => outcome;
    const answer = await restart();
    expect(answer.status).toBe(status);
    expect(answer.json()).toMatchObject({ error: { code, message: outcome.reason, commandId: 'c' } });
  });

  test('what breaks inside is not told outside', async () => {
    running.source.answer = async () => {
      throw new Error('the password is hunter2');
    };
    const answer = await restart();
    expect(answer.status).toBe(500);
    expect(answer.body).not.toContain('hunter2');
  });

  test.each([
    ['a form', 'a=b', { 'content-type': 'application/x-www-form-urlencoded' }, 415],
    ['plain text', '{}', { 'content-type': 'text/plain' }, 415],
    ['no type', '', {}, 415],
    ['broken JSON', '{', JSON_TYPE, 400],
    ['an unknown field', '{"instances":1}', JSON_TYPE, 400],
    ['a negative instance', '{"instance":-1}', JSON_TYPE, 400],
    ['too much', JSON.stringify({ x: 'y'.repeat(20_000) }), JSON_TYPE, 413],
  ] as const)('%s is refused and not sent', async (_name, body, headers, status) => {
    const answer = await restart(body, headers);
    expect(answer.status).toBe(status);
    expect(answer.json()).toEqual({ error: { code: expect.any(String), message: expect.any(String) } });
    expect(running.source.commands).toEqual([]);
  });

  test('a name that is no id is refused', async () => {
    expect((await ask('POST', '/api/services/web1/NOT%20ONE/stop', JSON_TYPE, '{}')).status).toBe(400);
  });
});

describe('data', () => {
  test('an unchanged answer is 304', async () => {
    // Else the host may fall silent between the two.
    running.source.tell({ kind: 'host-presence', heartbeat: make.hostHeartbeat('web1', { seq: 2 }) });
    const first = await ask('GET', '/api/dashboard-data');
    expect(first.json()).toMatchObject({ services: { total: 1, rows: [{ service: 'rag-api' }] } });
    const again = await ask('GET', '/api/dashboard-data', { 'if-none-match': String(first.headers['etag']) });
    expect([again.status, again.body]).toEqual([304, '']);
    const other = await ask('GET', '/api/dashboard-data?q=nothing', { 'if-none-match': String(first.headers['etag']) });
    expect([other.status, other.json()]).toMatchObject([200, { services: { total: 0 } }]);
  });

  test.each(['?limit=501', '?limit=0', '?offset=-1', '?state=sleepy', '?nonsense=1', '?host=A%20B'])(
    '%s is refused by name',
    async (query) => {
      const answer = await ask('GET', `/api/dashboard-data${query}`);
      expect(answer.status).toBe(400);
      expect(answer.json()).toMatchObject({ error: { code: 'bad-request' } });
    },
  );

  test('why: the story, or who could not tell it', async () => {
    const step = {
      id: '1',
      time: make.NOW,
      from: 'running',
      to: 'backoff',
      reason: 'x',
      causes: [],
      generation: 1,
    } as const;
    running.source.story = async () => ({ from: 'agent', steps: [step] });
    const told = await ask('GET', '/api/services/web1/rag-api/why');
    expect(told.json()).toEqual({ from: 'agent', steps: [step] });
    running.source.story = async () => ({ from: 'nobody', code: 'not-found', reason: 'no such service' });
    const unknown = await ask('GET', '/api/services/web1/rag-api/why');
    expect([unknown.status, unknown.json()]).toEqual([
      404,
      { error: { code: 'not-found', message: 'no such service' } },
    ]);
  });
});

test('health: blind is 503, and says since when', async () => {
  await using blind = await startDashboard();
  const response = await fetch(`${blind.url}/api/health`);
  expect(response.status).toBe(503);
  expect(await response.json()).toMatchObject({
    status: 'blind',
    bus: { isConnected: false, ageMs: expect.any(Number) },
  });
});
