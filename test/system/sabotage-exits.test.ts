/** An exit stays on record until the next start. However many agents find it there, it is judged and told once. */
import { rows } from '@muster/contracts';
import { eventually, startMusterSystem } from '@muster/testkit';
import { expect, test } from 'vitest';
import { connect, servicesYaml, shell, storedEvents } from './support.ts';

const SERVICES = { spent: 'failed', waiting: 'backoff', done: 'completed' } as const;

test('agents that come and go tell each exit once, and judge no failure anew', async () => {
  await using system = await startMusterSystem({
    services: servicesYaml(
      { name: 'spent', command: shell('exit 3'), max_restarts: 0 },
      { name: 'waiting', command: shell('exit 5'), restart_delay: 3600 },
      { name: 'done', command: shell('exit 0'), job: true },
    ),
  });
  await system.waitUntilUp();
  for (const [service, state] of Object.entries(SERVICES))
    await system.waitFor(service, (facts) => facts.state === state);
  await using bus = await connect(system, 'operator', 'cli');
  const reason = (await system.instances()).find(({ service }) => service === 'spent')?.reason;

  const told = async (service: string) => {
    const stored = await bus.history(rows.instanceEvent, { host: system.host, service });
    return stored.filter(({ message }) => message.from === 'unknown').length;
  };
  for (let agents = 2; agents <= 4; agents += 1) {
    await system.killAgent();
    await system.startAgent();
    // Of all of them: an agent that is killed before has not told of the others.
    for (const service of Object.keys(SERVICES)) {
      await eventually(async () => (await told(service)) === agents, {
        message: `the word of agent ${agents} on ${service}`,
        timeoutMs: 60_000,
      });
    }
  }
  for (const [service, state] of Object.entries(SERVICES)) {
    const events = await storedEvents(
      bus,
      system.host,
      service,
      (all) => all.filter(({ from }) => from === 'unknown').length === 4,
    );
    expect(events.at(-1)?.to, service).toBe(state);
    expect(events.filter(({ exit }) => exit !== undefined).length, `${service}: exits told`).toBe(1);
    expect(events.filter(({ to }) => to === 'running').length, `${service}: runs`).toBe(1);
  }
  const facts = await system.waitFor('spent', ({ state }) => state === 'failed');
  expect(facts.reason).toBe(reason);
  expect(facts.exit).toEqual({ code: 3, signal: null, known: true });
});
