/* Who is answered: other accounts of the machine, over a dashboard that really listens. */
import { execFile, execFileSync } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { eventually, NOBODY, temporaryDirectory } from '@muster/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Peers } from '../server/caller/peers.ts';
import { RIGHTS } from '../server/caller/rights.ts';
import { readUsers } from '../server/users.ts';
import { type Asked, askAs, whyNobodyElse } from './support/as-account.ts';
import { ownOwners, startDashboard } from './support/start-dashboard.ts';

const ME = process.getuid?.() ?? -1;
const users = readUsers();
const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'));
const JSON_TYPE = { 'content-type': 'application/json' };
const SOCKET_HEADERS = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
};

/** One request for each row of the table; the first is the one that everybody is answered. */
const EACH_ROUTE: readonly Asked[] = Object.keys(RIGHTS).map((row) => {
  const [method = '', route = ''] = row.split(' ');
  const path = route.replace(':host', 'web1').replace(':service', 'rag-api').replace('*', '');
  const headers = route === '/ws' ? SOCKET_HEADERS : method === 'POST' ? JSON_TYPE : {};
  return { method, path, headers, ...(method === 'POST' && { body: '{}' }) };
});
const OTHERS: readonly Asked[] = [
  { method: 'HEAD', path: '/api/dashboard-data' },
  { path: '/nothing/there' },
  { method: 'DELETE', path: '/api/dashboard-data', headers: JSON_TYPE },
];
const STOP: Asked = { method: 'POST', path: '/api/services/web1/rag-api/stop', headers: JSON_TYPE, body: '{}' };
const DATA: Asked = { path: '/api/dashboard-data' };

const home = await temporaryDirectory();
afterAll(() => home[Symbol.asyncDispose]());
let running: Awaited<ReturnType<typeof startDashboard>>;
beforeAll(async () => {
  const webRoot = join(home.path, 'web');
  await mkdir(webRoot);
  await writeFile(join(webRoot, 'index.html'), 'the page');
  running = await startDashboard({ webRoot });
  running.source.tell({ kind: 'bus', isConnected: true, reason: 'connected' });
});
afterAll(() => running[Symbol.asyncDispose]());
beforeEach(() => {
  running.source.commands.splice(0);
  running.audited.splice(0);
});

describe('the table of rights', () => {
  test('has a row for each route, and no other row', async () => {
    const { app } = running.dashboard;
    const rows = Object.keys(RIGHTS).filter((row) => row !== 'GET /ws');
    const isRoute = (row: string) => app.hasRoute({ method: row.split(' ')[0] ?? '', url: row.split(' ')[1] ?? '' });
    expect(rows.filter((row) => !isRoute(row))).toEqual([]);
    // Every line of the tree is a route with its methods; those of the table are all that there are.
    const methods = app
      .printRoutes({ commonPrefix: false })
      .match(/\((?:GET|POST|HEAD|PUT|PATCH|DELETE|OPTIONS)[^)]*\)/g);
    expect(
      methods?.flatMap((text) =>
        text
          .replace(/[()\s]|HEAD/g, '')
          .split(',')
          .filter(Boolean),
      ),
    ).toHaveLength(rows.length);
  });

  test('a route without a row cannot be added', async () => {
    const { buildApp } = await import('../server/app.ts');
    const { dashboard, source } = running;
    const { app } = await buildApp({
      fleet: dashboard.fleet,
      hub: dashboard.hub,
      source,
      now: () => 0,
      version: '0',
      audit: () => {},
      owners: ownOwners(),
    });
    expect(() => app.get('/api/secrets', async () => 'all')).toThrow(
      /no row in RIGHTS says who may use GET \/api\/secrets/,
    );
    await app.close();
  });
});

describe.skipIf(whyNobodyElse() !== undefined)('another account of the machine (needs root)', () => {
  test.each(['127.0.0.1', '::ffff:127.0.0.1', ...(hasIpv6 ? ['::1'] : [])])(
    'is refused over %s, on every route',
    async (address) => {
      const asked = [...EACH_ROUTE, ...OTHERS].map((question) => ({ ...question, address }));
      const told = await askAs(NOBODY, running.port, asked);
      const rows = asked.map(({ method = 'GET', path }, index) => [method, path, told[index]?.status]);
      const health = rows.shift();
      expect(health?.slice(0, 2)).toEqual(['GET', '/api/health']);
      expect(told[0]?.body).toMatch(/^\{"status":"(?:ok|blind)"\}$/);
      expect(rows.filter(([, , status]) => status !== 403)).toEqual([]);
      const sentence = /"code":"not-an-owner".*you are .*\(uid 65534\).*'owners' in config\/dashboard\.yaml/;
      const bodies = told.slice(1).filter((_, index) => rows[index]?.[0] !== 'HEAD');
      for (const { body } of bodies) expect(body).toMatch(sentence);
      expect([running.source.commands, running.audited]).toEqual([[], []]);
    },
  );

  test('is refused each time that it asks, also over a connection that it keeps', async () => {
    const told = await askAs(NOBODY, running.port, [{ path: '/api/health' }, STOP, { path: '/api/health' }, STOP]);
    expect(told.map(({ status }) => status === 403)).toEqual([false, true, false, true]);
    // The first two came over one connection, and a refusal ends it.
    expect(told[0]?.localPort).toBe(told[1]?.localPort);
    expect(told[2]?.localPort).not.toBe(told[1]?.localPort);
    expect(running.source.commands).toEqual([]);
  });

  test('is refused as root of a user namespace of its own', async (context) => {
    const unshare = ['unshare', '--user', '--map-root-user'];
    if (!canRun([...unshare, 'true'], NOBODY)) return context.skip('needs user namespaces for everybody');
    const told = await askAs(NOBODY, running.port, [STOP, DATA], unshare);
    expect(told.map(({ status, body }) => [status, /uid 65534/.test(body)])).toEqual([
      [403, true],
      [403, true],
    ]);
    expect(running.source.commands).toEqual([]);
  });

  test.each([
    ['user namespace', ['unshare', '--user', '--map-root-user']],
    ['pid namespace, as in a container', ['unshare', '--pid', '--fork']],
  ])('root in another %s is a stranger', async (_name, unshare) => {
    const told = await askAs(0, running.port, [STOP, DATA], unshare);
    for (const { status, body } of told)
      expect([status, body]).toEqual([403, expect.stringContaining('no process of root')]);
    expect(running.source.commands).toEqual([]);
  });

  test('root that took its connection into another network namespace is a stranger', async (context) => {
    if (!canRun(['bash', '-c', 'true'], ME)) return context.skip('needs bash');
    const ask = 'printf "GET /api/dashboard-data HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\n\\r\\n" >&3; head -n 1 <&3';
    const script = `exec 3<>/dev/tcp/127.0.0.1/${running.port}; exec "$@" sh -c '${ask}'`;
    const say = async (...through: string[]) => {
      const { stdout } = await promisify(execFile)('bash', ['-c', script, 'bash', ...through]);
      return stdout.trim();
    };
    expect(await say('unshare', '--net')).toBe('HTTP/1.1 403 Forbidden');
    expect(await say()).toBe('HTTP/1.1 200 OK');
  });

  test('root in a mount namespace of its own, as services have, is root', async () => {
    const told = await askAs(0, running.port, [DATA], ['unshare', '--mount']);
    expect(told.map(({ status }) => status)).toEqual([200]);
  });

  test('is answered once it is an owner, and named in the command and the audit; root is not unless it is one', async () => {
    await using theirs = await startDashboard({ owners: { uids: [NOBODY], users } });
    theirs.source.tell({ kind: 'bus', isConnected: true, reason: 'connected' });
    const told = await askAs(NOBODY, theirs.port, [STOP, DATA, { path: '/ws', headers: SOCKET_HEADERS }]);
    expect(told.map(({ status }) => status)).toEqual([202, 200, 101]);
    const actor = users.named(NOBODY);
    expect(actor).toContain('65534');
    expect(theirs.source.commands).toMatchObject([{ action: 'stop', actor }]);
    expect(theirs.audited).toMatchObject([{ verb: 'stop', actor }]);
    expect((await fetch(`${theirs.url}/api/dashboard-data`)).status).toBe(403);
  });
});

describe('whoever runs this test, at a dashboard of somebody else', () => {
  test('is refused on every route, and told who may', async () => {
    await using theirs = await startDashboard({ owners: { uids: [ME + 1], users } });
    for (const { method = 'GET', path, headers = {}, body } of [...EACH_ROUTE, ...OTHERS]) {
      if (path === '/ws' || path === '/api/health') continue;
      const init = { method, headers, ...(body !== undefined && { body }) };
      const answer = await fetch(`${theirs.url}${path}`, init);
      expect([method, path, answer.status]).toEqual([method, path, 403]);
      const sentence = `answers ${users.named(ME + 1)} only; you are ${users.named(ME)}`;
      expect(await answer.text()).toContain(method === 'HEAD' ? '' : sentence);
    }
    expect(theirs.source.commands).toEqual([]);
  });

  test('is told no more than that it lives', async () => {
    await using theirs = await startDashboard({ owners: { uids: [ME + 1], users } });
    expect(await (await fetch(`${theirs.url}/api/health`)).json()).toEqual({ status: 'blind' });
  });
});

describe('a proxied request is a stranger, whoever the proxy is', () => {
  test.each([
    'Forwarded',
    'Via',
    'X-Forwarded-For',
    'X-Forwarded-Host',
    'X-Forwarded-Proto',
    'X-Forwarded-Anything-New',
    'X_Forwarded_For',
    'X-Real-IP',
    'X-Client-IP',
    'X-Original-Forwarded-For',
    'X-Envoy-External-Address',
    'True-Client-IP',
    'CF-Connecting-IP',
    'Tailscale-User-Login',
    'Remote-User',
    'Proxy-Connection',
  ])('%s', async (name) => {
    const answer = await fetch(`${running.url}/api/dashboard-data`, { headers: { [name]: '' } });
    expect([answer.status, await answer.text()]).toEqual([403, expect.stringContaining(name.toLowerCase())]);
    expect((await fetch(`${running.url}/api/dashboard-data`)).status).toBe(200);
  });

  test('also when the header comes after more than Node keeps', async () => {
    const many = Array.from({ length: 1_500 }, (_, index): [string, string] => [index.toString(36), '']);
    const headers = Object.fromEntries([...many, ['x-forwarded-for', '10.0.0.1']]);
    const sent = request({ host: '127.0.0.1', port: running.port, path: '/api/dashboard-data', headers }).end();
    const [answer] = (await once(sent, 'response')) as [NodeJS.ReadableStream & { statusCode: number }];
    expect([answer.statusCode, await json(answer)]).toMatchObject([403, { error: { code: 'not-an-owner' } }]);
  });

  test('also a socket, and health tells it no more than that it lives', async () => {
    const proxied = { 'x-forwarded-for': '10.0.0.1' };
    const headers = { ...SOCKET_HEADERS, ...proxied };
    const sent = request({ host: '127.0.0.1', port: running.port, path: '/ws', headers }).end();
    const [answer] = (await once(sent, 'response')) as [NodeJS.ReadableStream & { statusCode: number }];
    expect([answer.statusCode, await json(answer)]).toMatchObject([403, { error: { code: 'not-an-owner' } }]);
    expect(await (await fetch(`${running.url}/api/health`, { headers: proxied })).json()).toEqual({ status: 'blind' });
  });
});

test.each([
  ['and we have heard of it', false],
  ['and we have not read so far', true],
])(
  'who resets its end and leaves its port to an owner before the kernel was asked is nobody, %s',
  async (_when, pauseOnConnect) => {
    const gate = new EventEmitter();
    let readings = 0;
    const peers = new Peers(async () => {
      readings += 1;
      if (readings === 1) await once(gate, 'open');
      return readFile('/proc/net/tcp', 'latin1');
    });
    const ends: Socket[] = [];
    const server = createServer({ pauseOnConnect }, (socket) => {
      peers.accepted(socket);
      ends.push(socket.on('error', () => {}));
      if (!pauseOnConnect) socket.resume();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };

    const first = connect({ port, host: '127.0.0.1' });
    await once(first, 'connect');
    await eventually(() => ends.length === 1);
    const { localPort = 0 } = first;
    first.resetAndDestroy();
    if (!pauseOnConnect) await eventually(() => ends[0]?.destroyed, { message: 'the reset is heard' });
    const second = connect({ port, host: '127.0.0.1', localPort, localAddress: '127.0.0.1' });
    await once(second, 'connect');
    await eventually(() => ends.length === 2);
    gate.emit('open');
    const [former, latter] = await Promise.all(ends.map((end) => peers.accountOf(end)));
    expect(latter).toEqual({ uid: ME });
    expect(former).toEqual({ reason: expect.stringContaining('no open connection') });
    second.destroy();
    for (const end of ends) end.destroy();
    server.close();
  },
);

test('what the kernel cannot be asked is refused, and the reason told', async () => {
  await using blind = await startDashboard({
    readTables: async () => {
      throw Object.assign(new Error('too many files'), { code: 'EMFILE' });
    },
  });
  const answer = await fetch(`${blind.url}/api/dashboard-data`);
  expect([answer.status, await answer.text()]).toEqual([403, expect.stringContaining('EMFILE')]);
});

test('many who connect at once wait for two readings, not for one each', async () => {
  const gate = new EventEmitter();
  let readings = 0;
  const readTables = async () => {
    readings += 1;
    if (readings === 1) await once(gate, 'open');
    return readFile('/proc/net/tcp', 'latin1');
  };
  await using busy = await startDashboard({ readTables });
  let accepted = 0;
  busy.dashboard.app.server.on('connection', () => {
    accepted += 1;
  });
  const sockets = Array.from({ length: 100 }, () => connect({ port: busy.port, host: '127.0.0.1' }));
  await eventually(() => accepted === sockets.length);
  gate.emit('open');
  const answers = sockets.map(async (socket) => {
    socket.write('GET /api/dashboard-data HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    return answer.toString().slice(0, 12);
  });
  expect(new Set(await Promise.all(answers))).toEqual(new Set(['HTTP/1.1 200']));
  expect(readings).toBe(2);
});

describe.skipIf(!hasIpv6)('localhost is two addresses', () => {
  const asLocalhost = { host: 'localhost:1' };

  test('a dashboard has both, so that nobody else serves a page of that name', async () => {
    const squatter = createServer();
    squatter.listen({ port: running.port, host: '::1' });
    const [error] = (await once(squatter, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('EADDRINUSE');
    expect((await fetch(`http://[::1]:${running.port}/api/dashboard-data`)).status).toBe(200);
  });

  test('where the other is taken, a page of that name is not ours', async () => {
    const squatter = createServer().listen({ port: 0, host: '::1' });
    await once(squatter, 'listening');
    const { port } = squatter.address() as { port: number };
    await using running = await startDashboard({}, port);
    const ask = async (host: string) => {
      const sent = request({ host: '127.0.0.1', port, path: '/api/dashboard-data', headers: { host } }).end();
      const [answer] = (await once(sent, 'response')) as [NodeJS.ReadableStream & { statusCode: number }];
      return [answer.statusCode, await json(answer)];
    };
    expect(await ask(asLocalhost.host)).toMatchObject([403, { error: { code: 'host-refused' } }]);
    expect(await ask('127.0.0.1')).toMatchObject([200, {}]);
    squatter.close();
    expect(running.port).toBe(port);
  });
});

function canRun([program = '', ...args]: readonly string[], uid: number): boolean {
  try {
    execFileSync(program, args, { uid, gid: uid, cwd: '/', stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
