/*
 * Bad input costs nothing: bytes of every kind on every subject that a bus listens to. What is not a message is counted;
 * the loops go on, and the good message behind it is heard.
 */
import {
  bucketName,
  buckets,
  buildFilter,
  buildSubject,
  commands,
  proberCommands,
  type RequestRow,
  type Row,
  rows,
} from '@muster/contracts';
import { openBus, setupBus } from '@muster/contracts/bus';
import { eventually, type SeededRandom, seededRandom, startNatsServer } from '@muster/testkit';
import { connect } from '@nats-io/transport-node';
import { expect, test } from 'vitest';
import { fileOf, golden } from './golden.ts';

const environment = 'test';
const EXAMPLE = {
  host: 'web1',
  service: 'rag-api',
  instance: 0,
  prober: 'p1',
  dashboard: 'd1',
  severity: 'critical',
  rule: 'unhealthy',
};

/** Not messages: of every shape between noise and almost right. */
function garbage(random: SeededRandom, good: object): Uint8Array[] {
  const text = JSON.stringify(good);
  const encoder = new TextEncoder();
  const texts = [
    '',
    'null',
    '[]',
    '{}',
    '"text"',
    '{"__proto__":{"id":"x"}}',
    '{"id":',
    text.slice(0, random.integer(1, text.length - 1)),
    text.replace(/"(id|holder)":"[^"]*"/, '"$1":42'),
    `${'['.repeat(100_000)}${']'.repeat(100_000)}`,
    `{"id":"${'x'.repeat(600 * 1024)}"}`,
  ].map((bad) => encoder.encode(bad));
  const noise = Array.from({ length: 5 }, () =>
    Uint8Array.from({ length: random.integer(1, 300) }, () => random.integer(0, 255)),
  );
  return [...texts, ...noise];
}

test('garbage on every subject is counted, and what is good behind it is heard', async () => {
  const random = seededRandom();
  console.log(`garbage: seed ${random.seed}`);
  await using server = await startNatsServer();
  await using bus = openBus({ servers: server.url, environment, role: 'admin', id: 'listener' });
  await bus.connected();
  await setupBus(bus);

  // A client without types, as any tool on the network may be. It sees where the bus has its deliveries sent.
  const raw = await connect({ servers: server.url });
  const deliverSubjects: string[] = [];
  raw.subscribe('$JS.API.CONSUMER.CREATE.>', {
    callback: (_error, message) => {
      deliverSubjects.push(message.json<{ config: { deliver_subject: string } }>().config.deliver_subject);
    },
  });
  await raw.flush();

  const heard = new Set<string>();
  const watched = new Set<string>();
  for (const [name, row] of Object.entries<Row>(rows)) bus.subscribe(row, {}, () => heard.add(name));
  const requests: [string, RequestRow][] = [
    ...Object.entries(commands).map(([verb, row]): [string, RequestRow] => [`commands/${verb}`, row]),
    ...Object.entries(proberCommands).map(([verb, row]): [string, RequestRow] => [`prober-commands/${verb}`, row]),
  ];
  for (const [name, row] of requests) bus.respond(row, {}, async () => golden(`${name}.reply`));
  const names = Object.keys(buckets) as (keyof typeof buckets)[];
  let ready = 0;
  for (const name of names) {
    bus.kv(name).watch({
      onEntry: (_key, value) => void (value !== undefined && watched.add(name)),
      onReady: () => ready++,
      onReset: () => {},
    });
  }
  await eventually(() => ready === names.length);
  await bus.flush();

  let sent = 0;
  const send = (subject: string, good: object) => {
    for (const bad of garbage(random, good)) {
      raw.publish(subject, bad, {
        reply: random.pick(['', '_INBOX.nobody', '$KV.muster_test_status.a', 'muster.v1.test.command.web1.stop']),
      });
      sent++;
    }
  };
  for (const [name, row] of Object.entries<Row>(rows))
    send(buildSubject(environment, row.template, EXAMPLE), golden(`messages/${fileOf(name)}`));
  for (const [name, row] of requests) send(buildSubject(environment, row.template, EXAMPLE), golden(`${name}.request`));
  for (const name of names) send(`$KV.${bucketName(environment, name)}.a.b.0`, golden(`buckets/${name}`));
  // Tokens that no builder makes, under subjects that are listened to.
  for (const subject of ['host.WEB.presence', 'service.web1.api.-1.event', 'alert.loud.web1._.x'])
    send(`${buildFilter(environment, 'x').slice(0, -1)}${subject}`, {});
  expect(deliverSubjects).toHaveLength(names.length);
  for (const subject of deliverSubjects) send(subject, {});
  await raw.flush();
  await bus.flush();

  expect(heard.size).toBe(0);
  expect(watched.size).toBe(0);
  const { malformed, oversize, foreign } = bus.counters;
  expect(malformed).toBeGreaterThan(sent / 3);
  expect(oversize).toBeGreaterThanOrEqual(Object.keys(rows).length);
  expect(foreign).toBeGreaterThan(deliverSubjects.length);
  expect(ready, 'no watch began again').toBe(names.length);

  for (const [name, row] of Object.entries<Row>(rows)) bus.publish(row, EXAMPLE, golden(`messages/${fileOf(name)}`));
  for (const name of names) await bus.kv(name).put('a.b.0', golden(`buckets/${name}`) as never);
  await eventually(() => heard.size === Object.keys(rows).length, { message: 'every row is heard' });
  await eventually(() => watched.size === names.length, { message: 'every bucket is watched' });
  for (const [name, row] of requests) {
    expect(await bus.request(row, EXAMPLE, golden(`${name}.request`), { timeoutMs: 10_000 })).toEqual(
      golden(`${name}.reply`),
    );
  }
  await raw.close();
});

test('what answers a question may be garbage too', async () => {
  await using server = await startNatsServer();
  await using bus = openBus({ servers: server.url, environment, role: 'admin', id: 'asker' });
  await bus.connected();
  const raw = await connect({ servers: server.url });
  raw.subscribe(buildSubject(environment, commands.stop.template, EXAMPLE), {
    callback: (_error, message) => void message.respond('{"accepted":"perhaps"}'),
  });
  await raw.flush();
  const asked = bus.request(commands.stop, EXAMPLE, golden('commands/stop.request') as never, { timeoutMs: 10_000 });
  await expect(asked).rejects.toThrow(/cannot read the answer from 'muster\.v1\.test\.command\.web1\.stop': /);
  expect(bus.counters.malformed).toBe(1);
  await raw.close();
});
