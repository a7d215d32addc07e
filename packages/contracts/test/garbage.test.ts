/*
 * Bad input costs nothing: bytes of every kind on every subject that a bus listens to. What is not a message is counted;
 * the loops go on, and the good message behind it is heard.
 */

import { connect as connectTcp } from 'node:net';
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
import { setupBus } from '@muster/contracts/admin';
import { BadReplyError, openBus } from '@muster/contracts/bus';
import { eventually, type SeededRandom, seededRandom, startNatsServer } from '@muster/testkit';
import { connect } from '@nats-io/transport-node';
import { expect, test } from 'vitest';
import { fileOf, golden, sampleKey, sampleRequest } from './golden.ts';
import { TestIdentities, WITHOUT_KEYS } from './identities.ts';

const environment = 'test';
const WEB1 = { role: 'agent', id: 'web1' } as const;
const P1 = { role: 'prober', id: 'p1' } as const;
const LISTENER = { role: 'admin', id: 'listener' } as const;
/** Nobody of a fleet, and everybody: may ask anything. */
const ASKERS = [{ role: 'operator', id: 'ada' }, { role: 'prober', id: 'p2' }, WEB1] as const;
const EXAMPLE = {
  host: 'web1',
  service: 'rag-api',
  instance: 0,
  prober: 'p1',
  dashboard: 'd1',
  monitor: 'k6',
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
  await using server = await startNatsServer(WITHOUT_KEYS);
  await using identities = await TestIdentities.mint(environment, [WEB1, P1, LISTENER, ...ASKERS]);
  await using bus = openBus({ servers: server.url, ...identities.as(LISTENER) });
  await using agent = openBus({ servers: server.url, ...identities.as(WEB1) });
  await using prober = openBus({ servers: server.url, ...identities.as(P1) });
  await Promise.all([bus.connected(), agent.connected(), prober.connected()]);
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
  const asked = new Set<string>();
  for (const [name, row] of requests) {
    (row.responder === 'agent' ? agent : prober).respond(row, {}, async () => {
      asked.add(name);
      return golden(`${name}.reply`);
    });
  }
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
  // What the bus has read is not yet what the other connection has.
  await eventually(() => deliverSubjects.length >= names.length);
  await Promise.all([bus.flush(), agent.flush(), prober.flush()]);

  const send = async (subject: string, good: object) => {
    for (const bad of garbage(random, good)) {
      raw.publish(subject, bad, {
        reply: random.pick([
          '',
          '_INBOX.nobody',
          '$KV.muster_test_status.a',
          'muster.v1.test.command.web1.stop',
          'muster.v1.test.answer.web1.operator.nobody.x',
          'muster.v1.test.answer._prober.operator.nobody.x',
        ]),
      });
    }
    await raw.flush();
    // No more before this is read: the server lets go of whoever falls far behind, as all do on a busy machine.
    await Promise.all([bus.flush(), agent.flush(), prober.flush()]);
  };
  for (const [name, row] of Object.entries<Row>(rows))
    await send(buildSubject(environment, row.template, EXAMPLE), golden(`messages/${fileOf(name)}`));
  for (const [name, row] of requests)
    await send(buildSubject(environment, row.template, EXAMPLE), golden(`${name}.request`));
  for (const name of names)
    await send(`$KV.${bucketName(environment, name)}.${sampleKey(name)}`, golden(`buckets/${name}`));
  // Tokens that no builder makes, under subjects that are listened to.
  for (const subject of ['host.WEB.presence', 'service.web1.api.-1.event', 'alert.loud.web1._.x'])
    await send(`${buildFilter(environment, 'x').slice(0, -1)}${subject}`, {});
  expect(deliverSubjects).toHaveLength(names.length);
  for (const subject of deliverSubjects) await send(subject, {});

  const signed = Object.values<Row>(rows).filter(({ isSigned }) => isSigned);
  const unsigned = Object.keys(rows).length - signed.length;
  const ofEach = garbage(random, {}).length;
  // What streams deliver comes later, and of a key perhaps only what was put last.
  await eventually(
    () => {
      const { malformed, oversize } = bus.counters;
      return malformed + oversize >= unsigned * ofEach + names.length;
    },
    { message: 'all that rows hear is counted, and something of each bucket' },
  );
  expect(heard.size).toBe(0);
  expect(watched.size).toBe(0);
  expect(asked.size).toBe(0);
  const { oversize, foreign, forged } = bus.counters;
  expect(forged, 'what must be signed is not read at all').toBe(signed.length * ofEach);
  // A question that nobody has signed is not read at all, whatever its bytes are.
  for (const { counters } of [agent, prober]) {
    expect(counters.forged).toBeGreaterThan(0);
    expect(counters).toMatchObject({ malformed: 0, oversize: 0 });
  }
  expect(oversize).toBeGreaterThanOrEqual(unsigned);
  expect(foreign).toBeGreaterThan(deliverSubjects.length);
  expect(ready, 'no watch began again').toBe(names.length);

  for (const [name, row] of Object.entries<Row>(rows)) {
    const speaker = row.isSigned ? prober : bus;
    speaker.publish(row, EXAMPLE, golden(`messages/${fileOf(name)}`));
  }
  for (const name of names) await bus.kv(name).put(sampleKey(name), golden(`buckets/${name}`) as never);
  await eventually(() => heard.size === Object.keys(rows).length, { message: 'every row is heard' });
  await eventually(() => watched.size === names.length, { message: 'every bucket is watched' });
  const askers = ASKERS.map((identity) => openBus({ servers: server.url, ...identities.as(identity) }));
  await Promise.all(askers.map((asker) => asker.connected()));
  for (const [name, row] of requests) {
    const asker = askers.find(({ role }) => row.requesters.includes(role));
    const question = { ...golden(`${name}.request`), source: `${asker?.role}/${asker?.id}` };
    const reply = await asker?.request(row, EXAMPLE, question, { timeoutMs: 10_000 });
    expect(reply).toEqual(golden(`${name}.reply`));
  }
  await Promise.all([...askers.map((asker) => asker.drain()), raw.close()]);
});

test('what answers a question may be garbage too', async () => {
  await using server = await startNatsServer(WITHOUT_KEYS);
  const [ADA] = ASKERS;
  await using identities = await TestIdentities.mint(environment, [ADA]);
  await using bus = openBus({ servers: server.url, ...identities.as(ADA) });
  await bus.connected();
  const raw = await connect({ servers: server.url });
  raw.subscribe(buildSubject(environment, commands.stop.template, EXAMPLE), {
    callback: (_error, message) => void message.respond('{"accepted":"perhaps"}'),
  });
  await raw.flush();
  const ask = () => bus.request(commands.stop, EXAMPLE, sampleRequest('stop'), { timeoutMs: 1_000 });
  // It is asked again when the answer came after its time.
  const refused = await eventually(() => ask().catch((error: unknown) => error instanceof BadReplyError && error));
  expect((refused as Error).message).toMatch(
    /cannot read the answer from 'muster\.v1\.test\.command\.web1\.stop': it is not signed: /,
  );
  expect(bus.counters).toMatchObject({ forged: 1, malformed: 0 });
  await raw.close();
});

test('headers that are none cost their message, and nothing else', async () => {
  await using server = await startNatsServer(WITHOUT_KEYS);
  await using identities = await TestIdentities.mint(environment, [WEB1]);
  await using agent = openBus({ servers: server.url, ...identities.as(WEB1) });
  await agent.connected();
  const heard: string[] = [];
  agent.subscribe(rows.hostPresence, {}, ({ host }) => heard.push(host));
  agent.respond(commands.stop, { host: 'web1' }, async () => golden('commands/stop.reply') as never);
  await agent.flush();
  // Written by hand: no client sends such a thing.
  const lines = [
    'a name with spaces: x',
    ': no name',
    'Muster-Signature\u0000: x',
    'Muster-Grant: a\rb',
    '\u00e9: x',
    'x:y\nz:u',
  ];
  const subjects = [
    buildSubject(environment, commands.stop.template, EXAMPLE),
    buildSubject(environment, rows.hostPresence.template, EXAMPLE),
  ];
  const socket = connectTcp({ host: '127.0.0.1', port: server.port });
  socket.write('CONNECT {"verbose":false,"headers":true}\r\n');
  for (const subject of subjects) {
    for (const line of lines) {
      const head = Buffer.from(`NATS/1.0\r\n${line}\r\n\r\n`);
      const body = Buffer.from('{}');
      socket.write(
        `HPUB ${subject} muster.v1.test.answer.web1.operator.ada.x ${head.length} ${head.length + body.length}\r\n`,
      );
      socket.write(Buffer.concat([head, body, Buffer.from('\r\n')]));
    }
  }
  await eventually(() => {
    const { malformed, forged } = agent.counters;
    return malformed + forged === lines.length * subjects.length;
  });
  socket.destroy();
  agent.publish(rows.hostPresence, EXAMPLE, golden('messages/host-presence') as never);
  await eventually(() => heard.length > 0);
  expect(heard).toEqual(['web1']);
});
