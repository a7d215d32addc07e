import { probe, probeTcp } from '@muster/probes';
import { expect, test } from 'vitest';
import { freePort, listenTcp } from './listeners.ts';

const patient = () => AbortSignal.timeout(30_000);

test('a listener is up', async () => {
  await using server = await listenTcp(() => undefined);
  const result = await probe({ kind: 'tcp', host: '127.0.0.1', port: server.port }, patient());
  expect(result).toMatchObject({ status: 'up' });
  expect(result.phases.connectMs).toBeGreaterThan(0);
});

test('no listener is refused', async () => {
  const result = await probeTcp({ kind: 'tcp', host: '127.0.0.1', port: await freePort() }, patient());
  expect(result).toMatchObject({ status: 'down', reason: 'refused' });
});

test('no listener on any address of a name is refused', async () => {
  const result = await probeTcp({ kind: 'tcp', host: 'localhost', port: await freePort() }, patient());
  expect(result).toMatchObject({ status: 'down', reason: 'refused' });
});

test('a name that does not exist is dns', async () => {
  const result = await probeTcp({ kind: 'tcp', host: 'nohost.invalid', port: 80 }, patient());
  expect(result).toMatchObject({ status: 'down', reason: 'dns' });
});

test('a deadline that has passed is a timeout', async () => {
  await using server = await listenTcp(() => undefined);
  const passed = AbortSignal.abort(new DOMException('late', 'TimeoutError'));
  const result = await probeTcp({ kind: 'tcp', host: '127.0.0.1', port: server.port }, passed);
  expect(result).toMatchObject({ status: 'down', reason: 'timeout' });
});

test('given up by the caller blames nobody', async () => {
  await using server = await listenTcp(() => undefined);
  const controller = new AbortController();
  const result = probeTcp({ kind: 'tcp', host: '127.0.0.1', port: server.port }, controller.signal);
  controller.abort();
  expect(await result).toMatchObject({ status: 'unknown', reason: 'aborted' });
});
