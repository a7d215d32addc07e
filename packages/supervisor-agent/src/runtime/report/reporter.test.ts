import type { InstanceEvent, InstanceStatus } from '@muster/contracts';
import type { Outbox } from '@muster/contracts/bus';
import { expect, test } from 'vitest';
import { MemoryHost, probed, specOf } from '../../../test/support/memory-host.ts';
import { Envelopes } from '../../bus/envelopes.ts';
import { Reporter } from './reporter.ts';

/** A reporter on a host in memory: what it has journaled, and what its keys say. */
function reported(spec = specOf('api'), former: readonly InstanceEvent[] = []) {
  const events: InstanceEvent[] = [];
  const keys = new Map<string, InstanceStatus>();
  const append: Outbox['append'] = (_row, _params, message) => {
    events.push(message as InstanceEvent);
  };
  const reporter = new Reporter({
    host: 'web1',
    envelopes: new Envelopes('web1', 7),
    outbox: { append },
    statuses: { set: (key, status) => keys.set(key, status) },
    former,
  });
  const host = new MemoryHost({
    services: [{ spec }],
    onTransition: (runner, transition) => reporter.transitioned(runner, transition),
  });
  for (const service of host.supervisor.services) reporter.added(service);
  return { events, keys, reporter, host, runner: host.runner(spec.name) };
}

function lastOf<T>(list: readonly T[]): T {
  const last = list.at(-1);
  if (last === undefined) throw new Error('an empty list');
  return last;
}

test('an instance is introduced by its status, without an event', () => {
  const { events, keys, host } = reported();
  using _ = host;
  expect(events).toEqual([]);
  expect(keys.get('web1.api.0')).toMatchObject({ state: 'unknown', source: 'agent/web1', epoch: 7, seq: 1 });
});

test('the stream has it first: only a delivered event changes the key, and only the newest', async () => {
  const { events, keys, reporter, host } = reported();
  using _ = host;
  await host.supervisor.begin([]);
  await host.settled();
  expect(events.map(({ from, to }) => `${from} → ${to}`)).toEqual(['unknown → starting', 'starting → running']);
  expect(keys.get('web1.api.0')?.state).toBe('unknown');

  const [starting, running] = events;
  reporter.delivered(starting?.id ?? '');
  expect(keys.get('web1.api.0')?.state).toBe('unknown');
  reporter.delivered(running?.id ?? '');
  expect(keys.get('web1.api.0')).toMatchObject({ state: 'running', id: running?.id, seq: running?.seq, pid: 1_000 });
});

test('each event names what caused it: a command, or else what the instance did before', async () => {
  const { events, host, runner } = reported();
  using _ = host;
  await host.supervisor.begin([]);
  await host.settled();
  for (const [at, event] of events.entries()) expect(event.causes).toEqual(at === 0 ? [] : [events[at - 1]?.id]);

  runner.post({ type: 'stop', by: 'ada' }, ['command-1']);
  await host.settled();
  expect(events.slice(-2).map(({ to, causes }) => [to, ...causes])).toEqual([
    ['stopping', 'command-1'],
    ['stopped', 'command-1'],
  ]);

  runner.post({ type: 'start', by: 'ada' }, ['command-2']);
  await host.settled();
  const { id } = lastOf(events);
  host.driver.runs.get('api')?.end({ kind: 'code', code: 3 });
  await host.settled();
  const crash = events.find(({ exit }) => exit?.code === 3);
  expect(crash?.causes).toEqual([id]);
});

test('positions only ever grow', async () => {
  const { events, host, runner } = reported();
  using _ = host;
  await host.supervisor.begin([]);
  runner.post({ type: 'restart' });
  await host.settled();
  const seqs = events.map(({ seq }) => seq);
  expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
  expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
});

test('what nobody else can see is no event', async () => {
  const { events, host, runner } = reported(probed('api'));
  using _ = host;
  await host.supervisor.begin([]);
  await host.settled();
  const before = events.length;
  runner.post({ type: 'deadline' });
  runner.post({ type: 'dependencies-met' });
  runner.post({ type: 'start' });
  expect(events.length).toBe(before);
  await host.find('api', { type: 'ready' });
  expect(events.slice(before).map(({ from, to, ready }) => [from, to, ready])).toEqual([['running', 'running', 'yes']]);
  await host.find('api', { type: 'not-ready', reason: 'readiness probe failed' });
  expect(lastOf(events)).toMatchObject({ to: 'running', ready: 'no', reason: 'not ready: readiness probe failed' });
});

test('what has not got past its startup says which process it is, without an event', async () => {
  const { readiness } = probed('api').probes;
  if (readiness === undefined) throw new Error('nothing is probed');
  const { events, keys, reporter, host } = reported(probed('api', { probes: { startup: readiness } }));
  using _ = host;
  await host.supervisor.begin([]);
  await host.settled();
  expect(events.map(({ from, to }) => `${from} → ${to}`)).toEqual(['unknown → starting']);
  expect(reporter.status('api', 0)).toMatchObject({ state: 'starting', pid: 1_000, reason: 'spawned as pid 1000' });
  expect(keys.get('web1.api.0')?.state).toBe('unknown');
  const starting = lastOf(events);
  reporter.delivered(starting.id);
  expect(keys.get('web1.api.0')).toMatchObject({ state: 'starting', pid: 1_000 });

  await host.find('api', { type: 'startup-passed' });
  reporter.delivered(starting.id);
  expect(keys.get('web1.api.0')?.state).toBe('starting');
});

test('who wants something of an orphan is told why nothing happens', async () => {
  const { events, host, runner } = reported();
  using _ = host;
  host.driver.orphans.set('api', { kind: 'orphan', pids: [99], reason: 'pid 99 lives' });
  await host.supervisor.begin([]);
  await host.settled();
  for (const type of ['start', 'restart'] as const) {
    runner.post({ type, by: 'ada' }, [`command-${type}`]);
    expect(lastOf(events)).toMatchObject({
      from: 'orphaned',
      to: 'orphaned',
      reason: 'not touched: pid 99 lives',
      causes: [`command-${type}`],
    });
  }
});

test('an exit is told with its code, also when the next run follows at once', async () => {
  const { events, reporter, host } = reported();
  using _ = host;
  await host.supervisor.begin([]);
  await host.settled();
  host.driver.runs.get('api')?.end({ kind: 'code', code: 3 });
  await host.settled();
  expect(events.filter(({ exit }) => exit !== undefined).map(({ exit }) => exit)).toEqual([
    { code: 3, signal: null, known: true },
  ]);
  expect(reporter.status('api', 0)).toMatchObject({ state: 'running', generation: 2, restarts: 1 });
  expect(reporter.status('api', 0)).not.toHaveProperty('exit');
});

test('the last 50 events are remembered, those of before the restart first', async () => {
  const before = reported();
  using _before = before.host;
  await before.host.supervisor.begin([]);
  await before.host.settled();
  const former = Array.from({ length: 60 }, (_unused, at) => ({ ...lastOf(before.events), id: `former-${at}` }));
  const { events, reporter, host, runner } = reported(specOf('api'), former);
  using _ = host;
  await host.supervisor.begin([]);
  await host.settled();
  runner.post({ type: 'stop' });
  await host.settled();
  const ids = reporter.recentEvents('api', 0).map(({ id }) => id);
  expect(ids[0]).toMatch(/^former-/);
  expect(ids.slice(-4)).toEqual(events.slice(-4).map(({ id }) => id));
  expect(ids).toHaveLength(50);
});

test('a reason of any length fits into an event', () => {
  const { events, host, runner } = reported();
  using _ = host;
  runner.post({ type: 'stop', by: 'x'.repeat(1_000_000) });
  expect(lastOf(events).reason.length).toBeLessThan(3_000);
});
