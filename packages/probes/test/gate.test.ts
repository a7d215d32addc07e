/** The gate before real listeners: what it closes is not connected to, however the address is come by. */
import type { LookupAddress } from 'node:dns';
import { type Gate, probe, probeHttp, probeTcp } from '@muster/probes';
import { describe, expect, test } from 'vitest';
import { listenHttp, listenTcp } from './listeners.ts';

const patient = () => AbortSignal.timeout(30_000);

/** Closes all of loopback but 127.0.0.2, and answers lookups from a list, one after the other. */
function gateWith(...answers: readonly (readonly string[])[]) {
  const judged: string[] = [];
  let lookups = 0;
  const gate: Gate = {
    whyNot: (address) => {
      judged.push(address);
      return address === '127.0.0.2' ? undefined : 'a loopback address';
    },
    addressesOf: async () => {
      const answer = answers[Math.min(lookups, answers.length - 1)] ?? [];
      lookups += 1;
      return answer.map((address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 }));
    },
  };
  return { gate, judged, lookups: () => lookups };
}

async function counting() {
  let connections = 0;
  const server = await listenTcp((socket) => {
    connections += 1;
    socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
  });
  return {
    port: server.port,
    connections: () => connections,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const V4 =
  '127.0.0.1 127.1 2130706433 0x7f.1 0177.0.0.1 [::ffff:127.0.0.1] [::ffff:7f00:1] 0.0.0.0 0 １２７.0.0.1 user:secret@127.1';

describe.each([...V4.split(' '), '[::1]', '[::]'])('http://%s/', (host) => {
  test('is judged as the address it is, and not connected to', async () => {
    await using server = await counting();
    const { gate, judged } = gateWith();
    const result = await probe({ kind: 'http', url: `http://${host}:${server.port}/`, gate }, patient());
    expect(result).toMatchObject({
      status: 'unknown',
      reason: 'forbidden',
      detail: expect.stringContaining(' is a loop'),
    });
    expect(judged).toHaveLength(1);
    expect(server.connections()).toBe(0);
  });
});

test.each(V4.split(' '))('without a gate http://%s/ leads to 127.0.0.1', async (host) => {
  await using server = await counting();
  expect(await probe({ kind: 'http', url: `http://${host}:${server.port}/` }, patient())).toMatchObject({
    status: 'up',
  });
});

describe('a name', () => {
  test.each(['http', 'tcp'] as const)('that resolves to a closed address is not connected to, by %s', async (kind) => {
    await using server = await counting();
    const { gate } = gateWith(['127.0.0.1', '::1']);
    const { port } = server;
    const url = `http://rebound.test:${port}/`;
    const result = await (kind === 'http'
      ? probeHttp({ kind, url, gate }, patient())
      : probeTcp({ kind, host: 'rebound.test', port, gate }, patient()));
    expect(result).toMatchObject({
      status: 'unknown',
      reason: 'forbidden',
      detail: 'it resolves to 127.0.0.1, a loopback address',
    });
    expect(server.connections()).toBe(0);
  });

  test('is looked up once: what was judged is what is connected to', async () => {
    await using server = await counting();
    // An answer that would pass comes first, the one that is meant from then on.
    const { gate, lookups } = gateWith(['127.0.0.2'], ['127.0.0.1']);
    const url = `http://rebound.test:${server.port}/`;
    const first = await probeHttp({ kind: 'http', url, gate }, patient());
    // The listener is on 127.0.0.1 only: whoever connects to the judged address finds nobody.
    expect(first).toMatchObject({ status: 'down', reason: 'refused' });
    expect(lookups()).toBe(1);
    expect(await probeHttp({ kind: 'http', url, gate }, patient())).toMatchObject({ reason: 'forbidden' });
    expect(server.connections()).toBe(0);
  });

  test('with open and closed addresses is connected to at the open ones only', async () => {
    await using server = await counting();
    const { gate } = gateWith(['127.0.0.1', '127.0.0.2']);
    const result = await probeTcp({ kind: 'tcp', host: 'rebound.test', port: server.port, gate }, patient());
    expect(result).toMatchObject({ status: 'down', reason: 'refused', detail: expect.stringContaining('127.0.0.2') });
    expect(server.connections()).toBe(0);
  });

  test('without an address is unknown, and one that cannot be looked up is dns, as without a gate', async () => {
    const none = await probeHttp({ kind: 'http', url: 'http://rebound.test/', gate: gateWith([]).gate }, patient());
    expect(none).toMatchObject({ status: 'unknown', reason: 'forbidden', detail: 'it resolves to no address' });
    const failure = Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND', syscall: 'getaddrinfo' });
    const gate: Gate = { ...gateWith().gate, addressesOf: () => Promise.reject(failure) };
    expect(await probeHttp({ kind: 'http', url: 'http://rebound.test/', gate }, patient())).toMatchObject({
      status: 'down',
      reason: 'dns',
    });
  });

  test('whose lookup never ends is given up at the deadline', async () => {
    const gate: Gate = { ...gateWith().gate, addressesOf: () => new Promise(() => undefined) };
    const deadline = new AbortController();
    const probing = probeHttp({ kind: 'http', url: 'http://silent.test/', gate }, deadline.signal);
    deadline.abort(new DOMException('late', 'TimeoutError'));
    expect(await probing).toMatchObject({
      reason: 'timeout',
      detail: expect.stringMatching('resolving the name'),
    });
  });
});

test('a redirect to a closed address is an answer, and nobody follows it', async () => {
  await using inside = await counting();
  await using server = await listenHttp((_, response) =>
    response.writeHead(302, { Location: `http://127.0.0.1:${inside.port}/` }).end(),
  );
  const gate: Gate = { ...gateWith().gate, whyNot: () => undefined };
  const url = `http://127.0.0.1:${server.port}/`;
  expect(await probeHttp({ kind: 'http', url, gate }, patient())).toMatchObject({ status: 'up', httpStatus: 302 });
  expect(inside.connections()).toBe(0);
});
