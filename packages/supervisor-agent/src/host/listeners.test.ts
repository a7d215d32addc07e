import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { findPortOwner, isPortTaken, listeningSockets } from './listeners.ts';

test('the owner of a listening port is this process', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  expect(isPortTaken(port)).toBe(true);
  expect(findPortOwner(port)).toMatchObject({ pid: process.pid });
  server.close();
  await once(server, 'close');
  expect(isPortTaken(port)).toBe(false);
  expect(findPortOwner(port)).toBeUndefined();
});

test('only listeners of exactly this port count', () => {
  const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000
   1: 0100007F:1F40 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000
   2: 0100007F:1F41 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0000`;
  expect(listeningSockets(table, 8000)).toEqual(['socket:[4711]']);
  expect(listeningSockets(table, 8002)).toEqual([]);
  expect(listeningSockets('', 8000)).toEqual([]);
});
