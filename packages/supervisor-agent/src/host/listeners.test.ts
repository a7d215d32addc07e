import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { findPortOwner, isPortTaken, parseListeners } from './listeners.ts';

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

const TABLE = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000
   1: 0100007F:1F40 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000
   2: 00000000:1F41 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4713 1 0000`;

test('only listeners of exactly this port count', () => {
  expect(parseListeners(TABLE, 8000)).toEqual([{ address: '127.0.0.1', uid: 0, link: 'socket:[4711]' }]);
  expect(parseListeners(TABLE, 8001)).toEqual([{ address: '0.0.0.0', uid: 1000, link: 'socket:[4713]' }]);
  expect(parseListeners(TABLE, 8002)).toEqual([]);
  expect(parseListeners('', 8000)).toEqual([]);
});

test.each([
  ['00000000000000000000000000000000', '::'],
  ['00000000000000000000000001000000', '::1'],
  ['0000000000000000FFFF00000100007F', '127.0.0.1'],
  ['B80D0120000000000000000001000000', '2001:0db8:0000:0000:0000:0000:0000:0001'],
])('reads the IPv6 address %s as %s', (hex, address) => {
  const table = `header\n 0: ${hex}:0050 0:0000 0A 0:0 00:0 0 0 0 77 1`;
  expect(parseListeners(table, 80)).toEqual([{ address, uid: 0, link: 'socket:[77]' }]);
});
