import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { startFixture } from '@muster/testkit';
import { expect, test } from 'vitest';
import { describeTakenPorts, findConflict } from './taken-ports.ts';

const LOCAL = { address: '127.0.0.1', uid: 0, link: 'socket:[1]' };
const EVERYWHERE = { address: '0.0.0.0', uid: 0, link: 'socket:[2]' };

test.each([
  ['127.0.0.1', LOCAL, true],
  ['localhost', LOCAL, true],
  ['0.0.0.0', LOCAL, true],
  ['127.0.0.2', LOCAL, false],
  ['127.0.0.1', EVERYWHERE, true],
])('to listen on %s beside a listener on $address: in its way %s', (host, listener, isInTheWay) => {
  expect(findConflict({ host, port: 1 }, [listener])).toBe(isInTheWay ? listener : undefined);
});

test('a port that another process holds is told with its name, unless a run of this agent is alive', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const needed = [{ purpose: 'the bus', listen: { host: '127.0.0.1', port }, setting: 'bus.listen' }];
  expect(describeTakenPorts(needed, 'agent-1')).toEqual([
    expect.stringMatching(
      new RegExp(`^port ${port} for the bus is taken by pid ${process.pid} \\(.*\\): stop it, or set \`bus.listen\`$`),
    ),
  ]);
  await using _run = await startFixture('sleep', ['600'], {
    env: { PATH: '/usr/bin:/bin', MUSTER_RUN: 'agent-1/api/0/1' },
  });
  expect(describeTakenPorts(needed, 'agent-1')).toEqual([]);
  expect(describeTakenPorts(needed, 'agent-2')).toHaveLength(1);
  server.close();
  await once(server, 'close');
  expect(describeTakenPorts(needed, 'agent-2')).toEqual([]);
});
