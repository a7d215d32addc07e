import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { checkPorts, findConflict, findOwner, parseListeners } from './ports.mjs';
import { Refusal } from './refusal.mjs';

const TABLE = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:107E 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 5551 1 0000000000000000 100
   1: 00000000:1F43 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 5552 1 0000000000000000 100
   2: 0100007F:107E 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 5553 1 0000000000000000 100
`;

test('reads the listening sockets of /proc/net/tcp, and no others', () => {
  expect(parseListeners(TABLE)).toEqual([
    { address: '127.0.0.1', port: 4222, uid: 0, inode: '5551' },
    { address: '0.0.0.0', port: 8003, uid: 1000, inode: '5552' },
  ]);
});

test.each([
  ['00000000000000000000000000000000', '::'],
  ['00000000000000000000000001000000', '::1'],
  ['0000000000000000FFFF00000100007F', '127.0.0.1'],
  ['B80D0120000000000000000001000000', '2001:0db8:0000:0000:0000:0000:0000:0001'],
])('reads the IPv6 address %s as %s', (hex, address) => {
  const table = `header\n 0: ${hex}:0050 0:0000 0A 0:0 00:0 0 0 0 77 1`;
  expect(parseListeners(table)).toEqual([{ address, port: 80, uid: 0, inode: '77' }]);
});

test.each([
  { wanted: { host: '127.0.0.1', port: 4222 }, inode: '5551' },
  { wanted: { host: 'localhost', port: 4222 }, inode: '5551' },
  { wanted: { host: '0.0.0.0', port: 4222 }, inode: '5551' },
  { wanted: { host: '127.0.0.1', port: 8003 }, inode: '5552' },
  { wanted: { host: '127.0.0.2', port: 4222 }, inode: undefined },
  { wanted: { host: '127.0.0.1', port: 80 }, inode: undefined },
])('$wanted.host:$wanted.port is in the way of socket $inode', ({ wanted, inode }) => {
  expect(findConflict(wanted, parseListeners(TABLE))?.inode).toBe(inode);
});

test('finds the process that holds a socket, and refuses its port with its name', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const listener = parseListeners(readFileSync('/proc/net/tcp', 'utf8')).find((each) => each.port === port);
  expect(findOwner(listener?.inode ?? '')).toBe(process.pid);
  const wanted = [{ purpose: 'the bus', listen: { host: '127.0.0.1', port }, setting: 'bus.listen' }];
  expect(() => checkPorts(wanted, undefined)).toThrow(Refusal);
  expect(() => checkPorts(wanted, undefined)).toThrow(
    new RegExp(`^port ${port} for the bus is taken by pid ${process.pid} \\(.*\\): stop it, or set \`bus.listen\`$`),
  );
  server.close();
  await once(server, 'close');
  expect(() => checkPorts(wanted, undefined)).not.toThrow();
});
