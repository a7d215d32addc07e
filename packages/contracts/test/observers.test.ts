/* An observer hears every alert, once and in order, also those of its absence; it reads no stream and acknowledges nothing. */
import {
  type AlertEvent,
  observerConsumer,
  observerDelivery,
  proberCommands,
  rows,
  streamName,
} from '@muster/contracts';
import { setUpObservers } from '@muster/contracts/admin';
import { type NatsBus, uuidv7 } from '@muster/contracts/bus';
import { type AlertGap, followAlerts } from '@muster/contracts/client';
import { TestBus } from '@muster/contracts/testing';
import { eventually, startTcpFaults, type TcpFaults } from '@muster/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { golden, sample } from './golden.ts';

const environment = 'test';
const PAGER = { role: 'observer', id: 'pager' } as const;
const PROBER = { role: 'prober', id: 'p1' } as const;
const ADMIN = { role: 'admin', id: 'setup' } as const;
const PLACE = { severity: 'critical', host: 'web1', service: 'rag-api', rule: 'failed' } as const;

let testBus: TestBus;
let faults: TcpFaults;
let prober: NatsBus;
/** By the first set-up and by the second. */
let made: readonly (readonly string[])[];
let seq = 0;

beforeAll(async () => {
  testBus = await TestBus.start([PAGER, PROBER, ADMIN]);
  faults = await startTcpFaults({ host: '127.0.0.1', port: testBus.server.port });
  await using admin = await testBus.connect(ADMIN);
  made = [await setUpObservers(admin, ['pager']), await setUpObservers(admin, ['pager'])];
  prober = await testBus.connect(PROBER);
});
afterAll(async () => {
  await prober.drain();
  await faults[Symbol.asyncDispose]();
  await testBus[Symbol.asyncDispose]();
});

/** An alert whose reason is its number. */
async function fire(): Promise<string> {
  seq += 1;
  const alert: AlertEvent = { ...sample('alert', PLACE), id: uuidv7(), seq };
  await prober.publishOrdered(rows.alert, PLACE, alert, { expectedLastSeq: lastStored });
  lastStored += 1;
  return alert.id;
}
let lastStored = 0;

function follow(bus: NatsBus, afterSeq?: number, askEveryMs?: number) {
  const heard: string[] = [];
  const gaps: AlertGap[] = [];
  const onGap = (gap: AlertGap) => void gaps.push(gap);
  const following = followAlerts(bus, { onAlert: ({ id }) => heard.push(id), onGap }, afterSeq, {
    ...(askEveryMs !== undefined && { askEveryMs }),
  });
  return { heard, gaps, following };
}

/** Answers as the leading prober does, out of the stream. */
function answerAlerts(): { readonly asked: number[] } {
  const asked: number[] = [];
  prober.respond(proberCommands.alerts, {}, async ({ id, afterSeq }) => {
    asked.push(afterSeq);
    const stored = await prober.history(rows.alert, {}, { sinceSeq: afterSeq + 1 });
    const alerts = stored.slice(0, 2).map(({ message, seq: at }) => ({ seq: at, alert: message }));
    return { ...golden('prober-commands/alerts.reply'), commandId: id, alerts, hasMore: stored.length > 2 } as never;
  });
  return { asked };
}

test('its consumer is made once', () => {
  expect(made).toEqual([['pager'], []]);
});

test('what fired while it was away comes first; what was lost on the way is asked for; each once, in order', async () => {
  const fired = [await fire(), await fire()];
  const { asked } = answerAlerts();
  await prober.flush();
  await using observer = await testBus.connect(PAGER, { servers: `nats://127.0.0.1:${faults.port}` });
  const { heard, gaps, following } = follow(observer);
  await eventually(() => heard.length === 2);

  await faults.cut();
  await eventually(() => !observer.isConnected);
  // Delivered to a connection that is not the follower's: for the server they have been delivered.
  const other = await testBus.connectRaw(PAGER);
  let swallowed = 0;
  other.subscribe(observerDelivery(environment, 'pager'), { callback: () => void swallowed++ });
  await other.flush();
  for (let i = 0; i < 5; i++) fired.push(await fire());
  await eventually(() => swallowed === 5);
  await other.close();

  await faults.heal();
  await observer.connected();
  await eventually(() => heard.length === fired.length, { message: 'those in between are heard' });
  fired.push(await fire());
  await eventually(() => heard.length === fired.length, { message: 'and what comes behind them' });
  expect(heard).toEqual(fired);
  expect(gaps).toEqual([]);
  expect(asked[0]).toBe(2);
  following.stop();
});

test('who notes how far it was hears the rest, also in another run', async () => {
  await using observer = await testBus.connect(PAGER);
  const all = await prober.history(rows.alert, {});
  const { heard, following } = follow(observer, 3);
  await eventually(() => heard.length === all.length - 3);
  expect(heard).toEqual(all.slice(3).map(({ message }) => message.id));
  following.stop();
});

test('a consumer that somebody took away costs no alert, nor does one that was made again', async () => {
  await using observer = await testBus.connect(PAGER);
  await using admin = await testBus.connect(ADMIN);
  const { heard, gaps, following } = follow(observer, undefined, 200);
  const first = await fire();
  await eventually(() => heard.includes(first));
  const remove = () =>
    admin.callJetStream(`CONSUMER.DELETE.${streamName(environment, 'alerts')}.${observerConsumer('pager')}`);
  await remove();
  const without = await fire();
  await eventually(() => heard.at(-1) === without, { message: 'it asks by itself' });
  following.stop();

  // One that does not ask by itself sees it by the first delivery.
  const patient = follow(observer);
  expect(await setUpObservers(admin, ['pager'])).toEqual(['pager']);
  const before = await fire();
  await eventually(() => patient.heard.includes(before));
  const again = await fire();
  await eventually(() => patient.heard.includes(again));
  await remove();
  const between = await fire();
  await setUpObservers(admin, ['pager']);
  const after = await fire();
  await eventually(() => patient.heard.at(-1) === after);
  expect(patient.heard.slice(-2)).toEqual([between, after]);
  expect([...gaps, ...patient.gaps]).toEqual([]);
  patient.following.stop();
});

test('an observer without a consumer, as before the set-up, hears none of it and harms nobody', async () => {
  await testBus.mint([{ role: 'observer', id: 'new' }]);
  await using observer = await testBus.connect({ role: 'observer', id: 'new' });
  const { heard, following } = follow(observer);
  await observer.flush();
  await fire();
  expect(heard).toEqual([]);
  following.stop();
});
