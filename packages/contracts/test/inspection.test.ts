/* What a look at a bus tells of who reads, and how far behind. Of copies: test/system/bus-copies.test.ts. */
import { rows, streamName } from '@muster/contracts';
import { inspectConsumers, inspectStreams, setupBus } from '@muster/contracts/admin';
import { openBus } from '@muster/contracts/bus';
import { eventually, startNatsServer } from '@muster/testkit';
import { expect, test } from 'vitest';
import { sample } from './golden.ts';
import { TestIdentities, WITHOUT_KEYS } from './identities.ts';

const environment = 'test';
const EVENTS = streamName(environment, 'events');
const ADMIN = { role: 'admin', id: 'setup' } as const;
const ADA = { role: 'operator', id: 'ada' } as const;

test('only an admin is told who reads, by name where it is one of our programs, and how far behind', async () => {
  await using server = await startNatsServer(WITHOUT_KEYS);
  await using identities = await TestIdentities.mint(environment, [ADMIN, ADA]);
  await using admin = openBus({ servers: server.url, ...identities.as(ADMIN) });
  await using ada = openBus({ servers: server.url, ...identities.as(ADA) });
  await Promise.all([admin.connected(), ada.connected()]);
  await setupBus(admin);
  let isReady = false;
  ada.kv('status').watch({ onEntry: () => {}, onReset: () => {}, onReady: () => (isReady = true) });
  await eventually(() => isReady);
  await admin.callJetStream(`CONSUMER.DURABLE.CREATE.${EVENTS}.archive`, {
    stream_name: EVENTS,
    config: { durable_name: 'archive', ack_policy: 'explicit', deliver_policy: 'all' },
  });
  const event = sample('hostEvent');
  for (const expectedLastSeq of [0, 1]) {
    await admin.publishOrdered(rows.hostEvent, { host: 'web1' }, event, { expectedLastSeq });
  }
  const nothing = { pending: 0, unacknowledged: 0 };
  // A consumer learns a moment later what was stored.
  const found = await eventually(async () => {
    const consumers = await inspectConsumers(admin);
    return consumers?.some(({ pending }) => pending === 2) && consumers;
  });
  expect(found).toEqual([
    { stream: EVENTS, reader: 'archive', ...nothing, pending: 2 },
    { stream: 'KV_muster_test_status', reader: 'operator/ada', ...nothing },
  ]);
  expect(await inspectConsumers(ada)).toBeUndefined();
  expect((await inspectStreams(ada)).flatMap(({ copies }) => copies)).toEqual([]);
});
