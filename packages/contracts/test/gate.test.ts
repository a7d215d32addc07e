/* A bus behind a gate: while that is shut the server hears nothing of it, whichever of its methods is called. */
import { commands, proberCommands, rows } from '@muster/contracts';
import { type NatsBus, openBus, uuidv7 } from '@muster/contracts/bus';
import { type NatsServer, startNatsServer } from '@muster/testkit';
import { connect } from '@nats-io/transport-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sample, sampleValue } from './golden.ts';
import { TestIdentities, WITHOUT_KEYS } from './identities.ts';

const AGENT = { role: 'agent', id: 'web1' } as const;
const HOST = { host: 'web1' };

let server: NatsServer;
let identities: TestIdentities;
beforeAll(async () => {
  server = await startNatsServer(WITHOUT_KEYS);
  identities = await TestIdentities.mint('test', [AGENT]);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await identities[Symbol.asyncDispose]();
});

type Method = Exclude<
  { [K in keyof NatsBus]: NatsBus[K] extends (...args: never) => unknown ? K : never }[keyof NatsBus],
  symbol | 'drain'
>;

const SOON = { timeoutMs: 500 };
const claims = { who: 'ada', role: 'viewer', hosts: 'all', expiresAt: new Date().toISOString() } as const;

/** A call of each method: who adds one to the bus is told by the compiler that it belongs here. */
const CALLS: Readonly<Record<Method, (bus: NatsBus) => unknown>> = {
  connected: (bus) => bus.connected(AbortSignal.timeout(SOON.timeoutMs)),
  onConnection: (bus) => bus.onConnection(() => {}),
  publish: (bus) => bus.publish(rows.hostPresence, HOST, sample('hostPresence')),
  publishOrdered: (bus) => bus.publishOrdered(rows.hostEvent, HOST, sample('hostEvent'), { expectedLastSeq: 0 }),
  publishEncoded: (bus) => bus.publishEncoded('muster.v1.test.host.web1.event', new Uint8Array([1]), {}),
  subscribe: (bus) => bus.subscribe(rows.hostPresence, HOST, () => {}),
  request: (bus) => bus.request(proberCommands.bus, {}, questionOf(bus), SOON),
  vouchFor: (bus) => bus.vouchFor(claims),
  respond: (bus) => bus.respond(commands.status, HOST, async () => undefined),
  kv: async (bus) => {
    const bucket = bus.kv('status');
    const [key, value] = ['web1.api.0', sampleValue('status')] as const;
    bucket.watch({ onEntry: () => {}, onReady: () => {}, onReset: () => {} }).stop();
    const calls = [bucket.put(key, value), bucket.create(key, value), bucket.update(key, value, 1), bucket.get(key)];
    await Promise.allSettled([...calls, bucket.delete(key), bucket.deleteRevision(key, 1), bucket.unreadable(key)]);
  },
  history: (bus) => bus.history(rows.hostEvent, HOST, { signal: AbortSignal.timeout(SOON.timeoutMs) }),
  read: (bus) => bus.read(rows.hostEvent, HOST, { signal: AbortSignal.timeout(SOON.timeoutMs) }).next(),
  storeState: (bus) => bus.storeState('events'),
  storedAt: (bus) => bus.storedAt('events', 1),
  receive: (bus) => bus.receive(rows.alert, 'deliver.somewhere', () => {}),
  gated: (bus) => bus.gated(),
  callJetStream: (bus) => bus.callJetStream('INFO'),
  askImproperly: (bus) => bus.askImproperly('web1', 'unsigned', SOON.timeoutMs),
  roundTripMs: (bus) => bus.roundTripMs(),
  flush: (bus) => bus.flush(),
};

function questionOf(bus: NatsBus) {
  const source = `${bus.role}/${bus.id}`;
  return { id: uuidv7(), time: new Date().toISOString(), source, actor: source };
}

test('while it is shut nothing of any method reaches the server, and what it hears reaches nobody', async () => {
  await using open = openBus({ servers: server.url, ...identities.as(AGENT) });
  await open.connected();
  const { bus, gate } = open.gated();
  const watcher = await connect({ servers: server.url });
  const heard: string[] = [];
  watcher.subscribe('>', { callback: (_error, { subject }) => void heard.push(subject) });
  await watcher.flush();
  const callAll = () => Promise.allSettled(Object.values(CALLS).map(async (call) => await call(bus)));
  const told: boolean[] = [];
  bus.onConnection(({ connected }) => told.push(connected));
  let presences = 0;
  bus.subscribe(rows.hostPresence, HOST, () => (presences += 1));
  /** All that was sent has been seen. */
  const settled = async () => {
    await open.flush();
    await watcher.flush();
    await open.flush();
  };

  await callAll();
  await settled();
  expect(heard).toEqual([]);
  expect(bus).toMatchObject({ isConnected: false, connectedSinceMs: undefined });

  gate.open('for this test');
  expect(bus.isConnected).toBe(true);
  // Without this the test would prove nothing.
  await callAll();
  await settled();
  expect(heard.length).toBeGreaterThan(8);
  expect(presences).toBeGreaterThan(0);

  gate.shut('for this test');
  heard.length = 0;
  presences = 0;
  open.publish(rows.hostPresence, HOST, sample('hostPresence'));
  await callAll();
  await settled();
  expect(heard).toEqual(['muster.v1.test.host.web1.presence']);
  expect(presences).toBe(0);
  expect(told).toEqual([true, false]);
  await watcher.close();
});
