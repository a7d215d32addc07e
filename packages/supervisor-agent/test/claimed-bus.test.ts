/* Several agents for one host on a real bus, as far as their connections go. */
import { commands } from '@muster/contracts';
import { uuidv7 } from '@muster/contracts/bus';
import { TestBus } from '@muster/contracts/testing';
import { eventually, startTcpFaults } from '@muster/testkit';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { ClaimedBus } from '../src/bus/claimed-bus.ts';
import { Envelopes } from '../src/bus/envelopes.ts';

const HOSTS = ['alone', 'ended', 'healed', 'race'];
const ADA = { role: 'operator', id: 'ada' } as const;

let testBus: TestBus;
beforeAll(async () => {
  testBus = await TestBus.start([...HOSTS.map((id) => ({ role: 'agent', id }) as const), ADA], { isEmpty: true });
});
afterAll(() => testBus[Symbol.asyncDispose]());

const LONG_MS = 50_000;

/** One agent's bus, which answers `status` with its name. */
function claim(host: string, name: string, epoch: number, url = testBus.url, answerTimeoutMs = 2_000) {
  const taken: string[] = [];
  const rivals: string[] = [];
  const told: boolean[] = [];
  const envelopes = new Envelopes(host, epoch);
  const claimed = new ClaimedBus({
    servers: url,
    environment: 'test',
    role: 'agent',
    id: host,
    credentialsFile: testBus.credentials({ role: 'agent', id: host }),
    self: { claimant: `${name}-${uuidv7()}`, agentId: name, bootId: name, epoch },
    envelopes,
    onTaken: (reason) => taken.push(reason),
    onRival: (reason) => rivals.push(reason),
    answerTimeoutMs,
  });
  const { bus } = claimed;
  bus.onConnection(({ connected }) => told.push(connected));
  bus.respond(commands.status, { host }, async ({ id }) => ({
    ...envelopes.next(),
    commandId: id,
    accepted: true,
    code: 'ok' as const,
    reason: name,
    instances: [],
  }));
  return { name, claimed, bus, taken, rivals, told };
}

/** Who answers for the host. */
async function speakerOf(host: string): Promise<string> {
  await using operator = await testBus.connect(ADA);
  const time = new Date().toISOString();
  const request = { id: uuidv7(), time, source: 'operator/ada', actor: 'ada' };
  return (await operator.request(commands.status, { host }, request, { timeoutMs: 10_000 })).reason;
}

test.concurrent('alone it speaks at once, and a second one is told who does, and hears no command', async () => {
  const first = claim('alone', 'first', 2, testBus.url, 10 * LONG_MS);
  await using _first = first.claimed;
  // No answer is waited for, which would take longer: the server knows that nobody would give one.
  await eventually(() => first.bus.isConnected, { timeoutMs: LONG_MS });

  // Neither that it started earlier nor that its number is smaller counts against who is there.
  const second = claim('alone', 'second', 1);
  await using _second = second.claimed;
  await second.claimed.settled(AbortSignal.timeout(LONG_MS));
  expect(second.bus).toMatchObject({ isConnected: false, connectedSinceMs: undefined });
  expect(second.claimed.rival).toMatchObject({ agentId: 'first' });
  expect(second.claimed.reason).toMatch(/another agent \(first, on another machine/);
  expect(second.taken).toEqual([second.claimed.reason]);
  expect(second.told).toEqual([]);
  await expect(second.bus.publishEncoded('x', new Uint8Array(), { expectedLastSeq: 0 })).rejects.toThrow(/away/);
  await eventually(() => first.rivals.length > 0, { timeoutMs: LONG_MS });
  for (let i = 0; i < 5; i += 1) expect(await speakerOf('alone')).toBe('first');
});

test.concurrent('of several that begin at once one speaks soon, and all agree who', async () => {
  const all = ['a', 'b', 'c'].map((name) => claim('race', name, 7));
  // Whom each takes for the one that speaks.
  const opinions = () => all.map(({ name, bus, claimed }) => (bus.isConnected ? name : claimed.rival?.agentId));
  const agreed = await eventually(
    () => {
      const [first, ...others] = opinions();
      return others.every((other) => other === first) ? first : undefined;
    },
    { timeoutMs: LONG_MS },
  );
  expect(all.filter(({ bus }) => bus.isConnected).map(({ name }) => name)).toEqual([agreed]);
  expect(await speakerOf('race')).toBe(agreed);
  await Promise.all(all.map(({ claimed }) => claimed[Symbol.asyncDispose]()));
});

test.concurrent('one that begins while the other cannot answer: once that heals, the older goes on alone', async () => {
  await using faults = await startTcpFaults({ host: '127.0.0.1', port: testBus.server.port });
  const older = claim('healed', 'older', 1, `nats://127.0.0.1:${faults.port}`);
  await using _older = older.claimed;
  await eventually(() => older.bus.isConnected, { timeoutMs: LONG_MS });
  faults.stall();
  const newer = claim('healed', 'newer', 2);
  await using _newer = newer.claimed;
  await eventually(() => newer.bus.isConnected, { timeoutMs: LONG_MS });
  await faults.heal();
  await eventually(() => !newer.bus.isConnected && older.bus.isConnected, { timeoutMs: LONG_MS });
  expect(newer.claimed.rival?.agentId).toBe('older');
  expect(newer.told).toEqual([true, false]);
  expect(await speakerOf('healed')).toBe('older');
});

test('who ends while it asks does not ask again', async () => {
  await using faults = await startTcpFaults({ host: '127.0.0.1', port: testBus.server.port });
  const { bus, claimed } = claim('ended', 'only', 1, `nats://127.0.0.1:${faults.port}`, 2_000);
  await eventually(() => bus.isConnected, { timeoutMs: LONG_MS });
  faults.stall();
  // A holder asks as soon as it is one. What is asked after that is given up after that.
  const request = { id: uuidv7(), time: new Date().toISOString(), source: 'agent/ended', actor: 'test' };
  const claimant = { claimant: 'another', agentId: 'another', bootId: 'another', epoch: 2, isHolder: false };
  const later = bus.request(commands.claim, { host: 'ended' }, { ...request, ...claimant }, { timeoutMs: 2_000 });
  using timers = vi.spyOn(globalThis, 'setTimeout');
  const draining = claimed[Symbol.asyncDispose]();
  await expect(later).rejects.toThrow(/no answer/);
  await faults.heal();
  await draining;
  expect(timers.mock.calls.filter(([, delayMs = 0]) => delayMs > 10_000)).toEqual([]);
});
