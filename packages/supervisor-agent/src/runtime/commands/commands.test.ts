import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  type Asker,
  type AuditRecord,
  commands,
  DEPENDENCY_LEASE_MS,
  type InstanceEvent,
  PatternError,
  type Position,
  type RequestRow,
} from '@muster/contracts';
import type { Bus, Outbox } from '@muster/contracts/bus';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { z } from 'zod';
import { MemoryHost, specOf } from '../../../test/support/memory-host.ts';
import { Envelopes } from '../../bus/envelopes.ts';
import { Freshness } from '../../bus/freshness.ts';
import { Reporter } from '../report/reporter.ts';
import { hideByLooks } from '../secrets.ts';
import { RemoteDependencies } from '../services/remote-dependencies.ts';
import { CommandJournal } from './command-journal.ts';
import { CommandOutcomes } from './command-outcomes.ts';
import { Commands } from './commands.ts';

type Answerer = (request: unknown, params: unknown, asker: Asker) => Promise<unknown>;

const ASKER: Asker = {
  version: 1,
  environment: 'test',
  key: `U${'A'.repeat(55)}`,
  role: 'operator',
  id: 'cli',
  hosts: 'all',
  issuedAt: '2026-03-01T12:00:00.000Z',
};

/** The bus as far as commands need it: whoever asks is answered in memory, and what is said must fit the schemas. */
class MemoryResponder implements Pick<Bus, 'respond' | 'revocations'> {
  readonly revocations: Bus['revocations'] = {
    version: 3,
    text: undefined,
    read: () => ({ ok: false, reason: 'not asked for' }),
    offer: async (list) => ({ outcome: list as 'newer', reason: 'as offered' }),
  };
  readonly #answerers = new Map<unknown, Answerer>();

  respond: Bus['respond'] = (row, _filter, handler) => {
    this.#answerers.set(row, handler as Answerer);
    return { stop: () => this.#answerers.delete(row) };
  };

  get isSilent(): boolean {
    return this.#answerers.size === 0;
  }

  async ask<T extends string, Q extends z.ZodType, R extends z.ZodType>(
    row: RequestRow<T, Q, R>,
    request: z.input<Q>,
    asker: Asker = ASKER,
  ): Promise<z.output<R>> {
    const reply = await this.#answerers.get(row)?.(row.request.parse(request), { host: 'web1' }, asker);
    return row.reply.parse(reply);
  }
}

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'muster-commands-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** An agent's commands over a host in memory with `api` and, of Muster's own, `bus`. */
async function commanded() {
  const events: InstanceEvent[] = [];
  const audit: AuditRecord[] = [];
  const append: Outbox['append'] = (row, _params, message) => {
    if (row.template.endsWith('.audit')) audit.push(message as AuditRecord);
    else events.push(message as InstanceEvent);
  };
  const envelopes = new Envelopes('web1', 7);
  const reporter = new Reporter({ host: 'web1', envelopes, outbox: { append }, statuses: { set: () => {} } });
  const journal = new CommandJournal(path.join(directory, 'commands.jsonl'), (error) => {
    throw error;
  });
  const outcomes = new CommandOutcomes(journal);
  const host = new MemoryHost({
    services: [
      { spec: specOf('api', { labels: { team: 'search', tier: 'front' } }) },
      { spec: specOf('bus'), isSystem: true },
      { spec: specOf('page', { dependencies: [{ host: 'db1', service: 'postgres', condition: 'ready' }] }) },
    ],
    onTransition: (runner, transition) => {
      reporter.transitioned(runner, transition);
      outcomes.transitioned(runner);
    },
    remote: (dependency) => dependencies.status(dependency),
  });
  const dependencies = new RemoteDependencies(() => host.supervisor.remoteChanged());
  for (const service of host.supervisor.services) reporter.added(service);
  await host.supervisor.begin([]);
  await host.settled();
  const bus = new MemoryResponder();
  const watched: string[] = [];
  const listening = new Commands({
    host: 'web1',
    bus,
    supervisor: host.supervisor,
    reporter,
    journal,
    outcomes,
    dependencies,
    freshness: new Freshness(7),
    envelopes,
    outbox: { append },
    hide: hideByLooks,
    readLogs: async (service, instance, { regex }) => {
      if (regex !== undefined) throw new PatternError(regex, 'it is too long');
      return { lines: [{ stream: 'stdout', offset: 0, text: `of ${service}.${instance}` }] };
    },
    watch: () => {
      watched.push('watch');
      return { leaseMs: 15_000 };
    },
    unpublished: (tier, service) => {
      const firstBucketAt = '2026-03-01T12:00:00.000Z';
      return service === 'api' ? [{ tier, firstBucketAt, bucketSeconds: 60, series: [] }] : [];
    },
  });
  listening.listen();
  return { host, bus, listening, events, audit, watched, journal, dependencies };
}

const envelope = (id: string) => ({ id, time: '2026-03-01T12:00:00.000Z', source: 'operator/ada', actor: 'ada' });

async function freshFrom(bus: MemoryResponder): Promise<Position> {
  const { epoch, seq } = await bus.ask(commands.status, envelope('status'));
  return { epoch, seq };
}

test('a command acts, and its id is among the causes of what follows', async () => {
  const { host, bus, events, audit } = await commanded();
  using _ = host;
  const fresh = await freshFrom(bus);
  const reply = await bus.ask(commands.stop, { ...envelope('one'), service: 'api', fresh });
  expect(reply).toMatchObject({ accepted: true, code: 'ok', commandId: 'one', reason: 'asked to stop by ada' });
  await host.settled();
  expect(events.filter(({ causes }) => causes.includes('one')).map(({ to }) => to)).toEqual(['stopping', 'stopped']);
  expect(audit).toMatchObject([
    { actor: 'ada', askedBy: 'operator/cli', verb: 'stop', target: 'web1/api.0', commandId: 'one', accepted: true },
  ]);
});

test('the same id acts once, also when the agent was killed in between', async () => {
  const first = await commanded();
  const request = { ...envelope('one'), service: 'api' };
  await first.bus.ask(commands.restart, { ...request, fresh: await freshFrom(first.bus) });
  await first.host.settled();
  expect(first.host.runner('api').state.persisted.generation).toBe(2);
  await first.bus.ask(commands.restart, { ...request, fresh: await freshFrom(first.bus) });
  await first.host.settled();
  expect(first.host.runner('api').state.persisted.generation).toBe(2);
  expect(first.audit).toHaveLength(1);
  first.host[Symbol.dispose]();

  const next = await commanded();
  using _ = next.host;
  const again = await next.bus.ask(commands.restart, { ...request, fresh: await freshFrom(next.bus) });
  expect(again).toMatchObject({ accepted: true, commandId: 'one' });
  await next.host.settled();
  expect(next.host.runner('api').state.persisted.generation).toBe(1);
});

describe('what came of a command', () => {
  const ask = (bus: MemoryResponder, of: string) => bus.ask(commands.outcome, { ...envelope('asking'), of });

  test('done, refused, failed because another overtook it, or never seen', async () => {
    const { host, bus } = await commanded();
    using _ = host;
    const act = async (verb: 'start' | 'stop' | 'restart', id: string, service: string, fresh?: Position) =>
      bus.ask(commands[verb], { ...envelope(id), service, fresh: fresh ?? (await freshFrom(bus)) });
    await act('restart', 'again', 'api');
    expect(await ask(bus, 'again')).toMatchObject({
      outcome: 'accepted',
      verb: 'restart',
      service: 'api',
      instance: 0,
    });
    await host.settled();
    expect(await ask(bus, 'again')).toMatchObject({ outcome: 'done', reason: 'it is running' });
    await act('stop', 'old', 'api', { epoch: 6, seq: 1 });
    expect(await ask(bus, 'old')).toMatchObject({ outcome: 'refused', reason: /does not quote/ });
    await act('start', 'waits', 'page');
    expect(await ask(bus, 'waits')).toMatchObject({ outcome: 'accepted' });
    await act('stop', 'instead', 'page');
    expect(await ask(bus, 'waits')).toMatchObject({ outcome: 'failed', reason: 'overtaken: asked to stop meanwhile' });
    expect(await ask(bus, 'instead')).toMatchObject({ outcome: 'done', reason: 'it is stopped' });
    expect(await ask(bus, 'never')).toMatchObject({ outcome: 'unknown', reason: /does not know that command/ });
  });

  test('what an agent had accepted when it was killed is settled by the next one', async () => {
    const first = await commanded();
    first.host[Symbol.dispose]();
    const accepted = { accepted: true, code: 'ok', reason: 'asked' } as const;
    const api = { service: 'api', instance: 0, generation: 0 };
    first.journal.record('acted', { ...accepted, act: { ...api, verb: 'restart' } });
    first.journal.record('not acted', { ...accepted, act: { ...api, service: 'bus', verb: 'stop' } });
    const next = await commanded();
    using _ = next.host;
    expect(await ask(next.bus, 'acted')).toMatchObject({ outcome: 'done' });
    const reason = 'the agent was killed before it could stop: it is running';
    expect(await ask(next.bus, 'not acted')).toMatchObject({ outcome: 'failed', reason });
    next.host[Symbol.dispose]();
    expect(await ask((await commanded()).bus, 'acted')).toMatchObject({ outcome: 'done' });
  });
});

describe('a dependency on another host', () => {
  const told = { target: 'db1/postgres', condition: 'ready', met: true, reason: 'db1/postgres is ready' } as const;

  test('waits with the reason that the prober gives, and starts once it is met', async () => {
    const { host, bus } = await commanded();
    using _ = host;
    expect(host.runner('page').state).toMatchObject({
      name: 'pending',
      persisted: { unmetReason: 'db1/postgres: no prober has told yet how it stands' },
    });
    const tell = async (word: object) =>
      bus.ask(commands.dependency, { ...envelope('word'), ...told, ...word, fresh: await freshFrom(bus) });
    await tell({ met: false, reason: 'host db1 is not heard for more than 10 s' });
    expect(host.runner('page').state).toMatchObject({
      name: 'pending',
      persisted: { unmetReason: 'db1/postgres: host db1 is not heard for more than 10 s' },
    });
    expect(await tell({})).toMatchObject({ accepted: true });
    await host.settled();
    expect(host.runner('page').state.name).toBe('running');
    await tell({ met: false, reason: 'it has failed' });
    await host.settled();
    expect(host.runner('page').state.name).toBe('running');
  });

  test('is not taken from an old quote', async () => {
    const { host, bus } = await commanded();
    using _ = host;
    const reply = await bus.ask(commands.dependency, { ...envelope('word'), ...told, fresh: { epoch: 6, seq: 1 } });
    expect(reply).toMatchObject({ accepted: false, code: 'stale' });
    expect(host.runner('page').state.name).toBe('pending');
  });

  test('a word that is not renewed lapses: what runs goes on, what falls waits', async () => {
    const { host, dependencies } = await commanded();
    using _ = host;
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'hrtime'] });
    try {
      dependencies.take({ target: told.target, condition: 'ready' }, { isMet: true, reason: told.reason });
      await host.settled();
      expect(host.runner('page').state.name).toBe('running');
      await vi.advanceTimersByTimeAsync(DEPENDENCY_LEASE_MS + 10);
      await host.settled();
      expect(host.runner('page').state).toMatchObject({
        name: 'running',
        persisted: { unmetReason: 'db1/postgres: no prober tells any more how it stands' },
      });
    } finally {
      vi.useRealTimers();
    }
  });
});

test.each([
  ['without a position', undefined],
  ['with one that was never said', { epoch: 7, seq: 999 }],
  ['with one of another start', { epoch: 6, seq: 1 }],
])('%s a command is stale, and nothing happens', async (_what, fresh) => {
  const { host, bus, audit } = await commanded();
  using _ = host;
  const reply = await bus.ask(commands.stop, { ...envelope('one'), service: 'api', ...(fresh && { fresh }) });
  expect(reply).toMatchObject({ accepted: false, code: 'stale' });
  expect(host.runner('api').state.name).toBe('running');
  expect(audit).toMatchObject([{ accepted: false }]);
});

test.each([
  ['stop', { service: 'nope' }, 'unknown-service', "no service 'nope' is configured on web1"],
  ['stop', { service: 'api', instance: 3 }, 'unknown-instance', "service 'api' on web1 has no instance 3"],
  [
    'stop',
    { service: 'bus' },
    'system-service',
    "'bus' is one of Muster's own services: it starts and stops with Muster itself",
  ],
  ['adopt', { service: 'api' }, 'wrong-state', "cannot adopt 'api': it is running, not orphaned"],
  ['forget', { service: 'api' }, 'wrong-state', "cannot forget 'api': it is running, not orphaned"],
] as const)('%s %j is refused as %s', async (verb, target, code, reason) => {
  const { host, bus } = await commanded();
  using _ = host;
  const reply = await bus.ask(commands[verb], { ...envelope('one'), ...target, fresh: await freshFrom(bus) });
  expect(reply).toMatchObject({ accepted: false, code, reason });
});

test.each(['reload', 'shutdown'] as const)('%s is refused by name, not left unanswered', async (verb) => {
  const { host, bus } = await commanded();
  using _ = host;
  expect(await bus.ask(commands[verb], envelope('one'))).toMatchObject({
    accepted: false,
    code: 'unsupported',
    reason: `this version of the agent cannot '${verb}' yet`,
  });
});

test.each(['plan', 'apply'] as const)('%s is refused in its own shape', async (verb) => {
  const { host, bus } = await commanded();
  using _ = host;
  const reply = await bus.ask(commands[verb], { ...envelope('one'), services: 'services: []' });
  expect(reply).toMatchObject({ accepted: false, code: 'unsupported', changes: [] });
});

test('status tells all instances; why tells the events of one', async () => {
  const { host, bus } = await commanded();
  using _ = host;
  const { instances } = await bus.ask(commands.status, envelope('one'));
  expect(instances.map(({ service, state }) => [service, state])).toEqual([
    ['api', 'running'],
    ['bus', 'running'],
    ['page', 'pending'],
  ]);
  const why = await bus.ask(commands.why, { ...envelope('two'), service: 'api' });
  expect(why.status?.state).toBe('running');
  expect(why.events.map(({ to }) => to)).toEqual(['starting', 'running']);
  expect(await bus.ask(commands.why, { ...envelope('three'), service: 'nope' })).toMatchObject({
    accepted: false,
    code: 'unknown-service',
    events: [],
  });
});

test('why of an instance that its service does not have says so', async () => {
  const { host, bus } = await commanded();
  using _ = host;
  expect(await bus.ask(commands.why, { ...envelope('one'), service: 'api', instance: 3 })).toMatchObject({
    accepted: false,
    code: 'unknown-instance',
    reason: "service 'api' on web1 has no instance 3",
  });
});

test.each([
  ['newer', { accepted: true, code: 'ok' }],
  ['known', { accepted: true, code: 'ok' }],
  ['older', { accepted: false, code: 'stale' }],
  ['forged', { accepted: false, code: 'forbidden' }],
])('a list of revoked keys that is %s is answered with the version in force', async (list, answer) => {
  const { host, bus } = await commanded();
  using _ = host;
  const reply = await bus.ask(commands.revocations, { ...envelope('one'), list });
  expect(reply).toMatchObject({ ...answer, version: 3, reason: 'as offered' });
});

test('logs are read from the host; what cannot be read is refused with the reason', async () => {
  const { host, bus } = await commanded();
  using _ = host;
  const ask = (service: string, more = {}) =>
    bus.ask(commands.logs, { ...envelope('one'), service, lines: 1, ...more });
  expect(await ask('api')).toMatchObject({ accepted: true, lines: [{ text: 'of api.0' }] });
  expect(await ask('bus'), "Muster's own as well").toMatchObject({ accepted: true });
  expect(await ask('nope')).toMatchObject({ accepted: false, code: 'unknown-service', lines: [] });
  expect(await ask('api', { instance: 7 })).toMatchObject({ accepted: false, code: 'unknown-instance' });
  expect(await ask('api', { regex: '(a+)+' })).toMatchObject({
    accepted: false,
    code: 'bad-request',
    reason: expect.stringContaining('it is too long'),
  });
});

describe('a person who was granted services with some labels', () => {
  const grantedTo = (labels: Readonly<Record<string, string>>): Asker => ({
    ...ASKER,
    role: 'dashboard',
    id: 'main',
    person: {
      version: 1,
      environment: 'test',
      who: 'user/ada',
      role: 'operator',
      hosts: 'all',
      labels,
      issuedAt: '2026-03-01T12:00:00.000Z',
      expiresAt: '2026-03-01T13:00:00.000Z',
    },
  });

  test('acts on those, and sees no others', async () => {
    const { host, bus, audit, watched } = await commanded();
    using _ = host;
    const search = grantedTo({ team: 'search' });
    const status = await bus.ask(commands.status, envelope('status'), search);
    expect(status.instances.map(({ service }) => service)).toEqual(['api']);
    const fresh = { epoch: status.epoch, seq: status.seq };
    expect(await bus.ask(commands.stop, { ...envelope('one'), service: 'api', fresh }, search)).toMatchObject({
      accepted: true,
    });
    const refused = {
      accepted: false,
      code: 'forbidden',
      reason: "user/ada is granted services with team=search only, not 'page'",
    };
    const ofPage = { ...envelope('two'), service: 'page' };
    expect(await bus.ask(commands.stop, { ...ofPage, fresh }, search)).toMatchObject(refused);
    expect(await bus.ask(commands.why, ofPage, search)).toMatchObject(refused);
    expect(await bus.ask(commands.logs, { ...ofPage, lines: 1 }, search)).toMatchObject(refused);
    expect(await bus.ask(commands.series, { ...ofPage, tier: '1m' }, search)).toMatchObject(refused);
    expect(await bus.ask(commands.series, { ...envelope('host'), tier: '1m' }, search)).toMatchObject({
      code: 'forbidden',
      reason: 'user/ada is granted services with team=search only, not the host itself',
    });
    expect(await bus.ask(commands.watch, envelope('watch'), search)).toMatchObject({
      code: 'forbidden',
      reason: 'user/ada is granted services with team=search only, not the host itself',
    });
    expect(watched).toEqual([]);
    expect(audit.map(({ accepted, askedBy }) => [accepted, askedBy])).toEqual([
      [true, 'dashboard/main'],
      [false, 'dashboard/main'],
    ]);
    await host.settled();
    const other = grantedTo({ team: 'billing' });
    const asked = { ...envelope('asking'), of: 'one' };
    expect(await bus.ask(commands.outcome, asked, search)).toMatchObject({ outcome: 'done' });
    expect(await bus.ask(commands.outcome, asked, other)).toMatchObject({ outcome: 'unknown' });
    // Nor what was answered then to who asks with the same id.
    const again = { ...envelope('one'), service: 'api', fresh };
    expect(await bus.ask(commands.stop, again, search)).toMatchObject({ accepted: true });
    expect(await bus.ask(commands.stop, again, other)).toMatchObject({ accepted: false, code: 'forbidden' });
  });

  test('needs every one of them', async () => {
    const { host, bus } = await commanded();
    using _ = host;
    for (const [labels, seen] of [
      [{ team: 'search', tier: 'front' }, ['api']],
      [{ team: 'search', tier: 'back' }, []],
      [{ constructor: 'Object' }, []],
      [{}, ['api', 'bus', 'page']],
    ] as const) {
      const { instances } = await bus.ask(commands.status, envelope('status'), grantedTo(labels));
      expect(instances.map(({ service }) => service).sort()).toEqual([...seen]);
    }
  });
});

test('a watch says how long its lease is', async () => {
  const { host, bus, watched } = await commanded();
  using _ = host;
  expect((await bus.ask(commands.watch, envelope('one'))).leaseMs).toBe(15_000);
  expect(watched).toEqual(['watch']);
});

test('the series that no stream has yet are told, of what has any', async () => {
  const { host, bus } = await commanded();
  using _ = host;
  const ofService = await bus.ask(commands.series, { ...envelope('one'), service: 'api', tier: '1m' });
  expect(ofService).toMatchObject({ accepted: true, chunks: [{ tier: '1m', bucketSeconds: 60 }] });
  expect((await bus.ask(commands.series, { ...envelope('two'), tier: '2h' })).chunks).toEqual([]);
});

test('what has stopped listening answers nothing', async () => {
  const { host, bus, listening } = await commanded();
  using _ = host;
  listening.ending();
  expect(bus.isSilent).toBe(true);
});
