import { createHash } from 'node:crypto';
import { deflateSync } from 'node:zlib';
import { ENCODING_HEADER, MAX_BUCKETS_PER_CHUNK, MAX_MESSAGE_BYTES, rows } from '@muster/contracts';
import { setupBus } from '@muster/contracts/admin';
import { type NatsBus, Outbox, openBus } from '@muster/contracts/bus';
import { eventually, type NatsServer, startNatsServer, temporaryDirectory } from '@muster/testkit';
import { connect, headers } from '@nats-io/transport-node';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeMessage, encodeForStream } from '../src/bus/codec.ts';
import { DICTIONARY } from '../src/bus/dictionary.ts';
import { buildSubject } from '../src/subject.ts';
import { sample } from './golden.ts';

const environment = 'test';
const seed = Number(process.env['MUSTER_SEED'] ?? Date.now() % 1_000_000_007);
console.log(`encoding: MUSTER_SEED=${seed}`);

let server: NatsServer;
let bus: NatsBus;
beforeAll(async () => {
  server = await startNatsServer();
  bus = openBus({ servers: server.url, environment, role: 'admin', id: 'tester' });
  await bus.connected();
  await setupBus(bus);
});
afterAll(async () => {
  await bus.drain();
  await server[Symbol.asyncDispose]();
});

const row = rows.serviceRollup1m;
const chunk = sample('serviceRollup1m');
const packed = encodeForStream(row, 'subject', chunk);

test('what is packed is read back as it was, whatever its numbers are', () => {
  const column = fc.array(fc.option(fc.double({ min: -1e21, max: 1e21, noNaN: true })), {
    maxLength: MAX_BUCKETS_PER_CHUNK,
  });
  fc.assert(
    fc.property(fc.array(column, { maxLength: 20 }), (columns) => {
      const series = columns.map((values, index) => {
        // JSON knows no negative zero.
        const numbers = values.map((value) => (value === 0 ? 0 : value));
        const counts = values.map(() => 1);
        return {
          name: `s${index}`,
          unit: 'bytes',
          count: counts,
          sum: numbers,
          min: numbers,
          max: numbers,
          last: numbers,
        };
      });
      const message = { ...chunk, series };
      const decoded = decodeMessage(row.schema, encodeForStream(row, 'subject', message), { encoding: 'deflate' });
      expect(decoded).toEqual({ ok: true, message });
    }),
    { seed, numRuns: 50 },
  );
});

test('what was packed for ever stays readable: the dictionary may not change', () => {
  expect(createHash('sha256').update(DICTIONARY).digest('hex')).toBe(
    'cf919e3bcfbf25388e1a85b5ea2ff7b5cf991ddd8965ddf4e9c1b5eb37ec8cc4',
  );
  // Without the dictionary, as another program may pack it.
  const plain = deflateSync(JSON.stringify(chunk));
  expect(decodeMessage(row.schema, plain, { encoding: 'deflate' })).toEqual({ ok: true, message: chunk });
});

test.each([
  ['cut off', packed.subarray(0, packed.length - 5), 'deflate', 'malformed', /^not readable: /],
  ['not packed at all', new TextEncoder().encode('{}'), 'deflate', 'malformed', /^not readable: /],
  ['packed, and not said to be', packed, '', 'malformed', /^not JSON: /],
  ['packed in a way unknown here', packed, 'zstd', 'malformed', /encoded as 'zstd', which is not one of deflate/],
  ['a bomb', deflateSync(new Uint8Array(100 * MAX_MESSAGE_BYTES)), 'deflate', 'oversize', /unpacks to more than/],
] as const)('%s is refused with the reason', (_what, bytes, encoding, kind, reason) => {
  expect(decodeMessage(row.schema, bytes, { encoding })).toMatchObject({
    ok: false,
    kind,
    reason: expect.stringMatching(reason),
  });
});

test('through outbox and stream it comes packed, also after the outbox was opened anew; plain ones are read as well', async () => {
  await using directory = await temporaryDirectory();
  const params = { host: 'web1', service: 'api' };
  const idOf = (name: string) => `web1/api/1m/${name}`;
  const heard: string[] = [];
  bus.subscribe(row, params, ({ id }) => heard.push(id));
  await bus.flush();

  await server.kill('SIGSTOP');
  const first = await Outbox.open({ directory: directory.path, bus });
  first.append(row, params, { ...chunk, id: idOf('one') });
  await first.close();
  await server.kill('SIGCONT');
  const second = await Outbox.open({ directory: directory.path, bus });
  second.append(row, params, { ...chunk, id: idOf('two') });
  await second.flushed(AbortSignal.timeout(30_000));
  await second.close();

  const { malformed } = bus.counters;
  const raw = await connect({ servers: server.url });
  const subject = buildSubject(environment, row.template, params);
  raw.publish(subject, JSON.stringify({ ...chunk, id: idOf('plain') }));
  const unknown = headers();
  unknown.set(ENCODING_HEADER, 'zstd');
  raw.publish(subject, packed, { headers: unknown });
  await raw.drain();

  const stored = async () => (await bus.history(row, params)).map(({ message }) => message);
  await eventually(async () => (await stored()).length === 3, { message: 'all three are stored' });
  expect(await stored()).toEqual(['one', 'two', 'plain'].map((name) => ({ ...chunk, id: idOf(name) })));
  await eventually(() => heard.length === 3, { message: 'who listens hears them unpacked' });
  await eventually(() => bus.counters.malformed > malformed, { message: 'what is packed otherwise is counted' });
  expect(heard).toEqual(['one', 'two', 'plain'].map(idOf));
});
