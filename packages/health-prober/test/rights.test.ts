/* Whom a prober believes what, and how agents learn from it which keys count no more. */
import { join } from 'node:path';
import { commands, keys, proberCommands } from '@muster/contracts';
import { publishRevocations, revoke, uuidv7 } from '@muster/contracts/bus';
import { eventually } from '@muster/testkit';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startLeadingProber } from './prober-process.ts';
import { SimulatedAgent } from './simulated-agent.ts';
import { ENVIRONMENT, TestBus } from './test-bus.ts';

// On a busy machine it takes long until a prober leads, and each step after that is waited for patiently.
vi.setConfig({ testTimeout: 240_000 });

let bus: TestBus;
let agent: SimulatedAgent;
beforeEach(async () => {
  bus = await TestBus.start();
  agent = await SimulatedAgent.start(bus);
});
afterEach(async () => {
  await agent[Symbol.asyncDispose]();
  await bus[Symbol.asyncDispose]();
});

test('a list that is published reaches an agent, which then announces it; a forged one reaches nobody', async () => {
  const brought: string[] = [];
  agent.bus.respond(commands.revocations, { host: 'web1' }, async ({ id, time, list }, _params, { role }) => {
    brought.push(role);
    const { outcome, reason } = await agent.bus.revocations.offer(list);
    const { version } = agent.bus.revocations;
    return {
      id: 'reply',
      time,
      source: 'agent/web1',
      commandId: id,
      accepted: outcome === 'newer',
      code: 'ok' as const,
      reason,
      version,
    };
  });
  await agent.bus.flush();
  const admin = await bus.connect('admin', 'setup');
  await admin.kv('config').put(keys.revocations(), {
    id: uuidv7(),
    time: new Date().toISOString(),
    source: 'admin/setup',
    kind: 'revocations',
    host: '_',
    content: 'e30.AAAA',
    origin: 'apply',
    appliedBy: 'admin/setup',
  });
  await using _prober = await startLeadingProber(bus);

  const entry = { key: `U${'A'.repeat(55)}`, identity: 'operator/mallory', reason: 'left' };
  const list = await revoke({ directory: join(bus.directory, 'keys'), environment: ENVIRONMENT, keys: [entry] });
  expect(await publishRevocations(admin, list)).toBe(true);
  await eventually(() => agent.bus.revocations.version === list.list.version, { timeoutMs: 60_000 });
  expect(brought).toEqual(['prober']);
});

test('an agent asks to recover what is on its own host only', async () => {
  agent.start('api');
  await agent.settled();
  await using _prober = await startLeadingProber(bus);
  const ask = (host: string) => {
    const envelope = { id: uuidv7(), time: new Date().toISOString(), source: 'agent/web1', actor: 'agent/web1' };
    const request = { ...envelope, host, service: 'api', generation: 1, reason: 'a test' };
    return agent.bus.request(proberCommands.recover, {}, request, { timeoutMs: 30_000 });
  };
  expect(await ask('web2')).toMatchObject({
    granted: false,
    code: 'forbidden',
    reason: "agent/web1 is not granted host 'web2'",
  });
  expect(await ask('web1')).toMatchObject({ granted: true });
});
