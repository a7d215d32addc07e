/*
 * Whoever may read streams can have the server itself publish stored bytes wherever it likes, and whoever is between two
 * others can keep what it saw. Each attack here is tried on a real server with everybody's own credentials; what it
 * brings about is that a counter moves.
 */
import { appendFile, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type AgentVerb,
  answerPrefix,
  bucketName,
  buildSubject,
  commands,
  keys,
  proberCommands,
  type RequestRow,
  rows,
  streamName,
  type Verdict,
} from '@muster/contracts';
import {
  BadReplyError,
  type BusProblem,
  type NatsBus,
  NoGrantError,
  Outbox,
  openBus,
  type PersonClaims,
  parseCredentials,
  publishRevocations,
  uuidv7,
} from '@muster/contracts/bus';
import { FleetClient } from '@muster/contracts/client';
import { type Identity, revoke } from '@muster/contracts/keys';
import { TestBus } from '@muster/contracts/testing';
import { eventually, seededRandom, temporaryDirectory } from '@muster/testkit';
import { fmtCreds, fromSeed } from '@nats-io/jwt';
import { headers, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { issueGrant } from '../src/bus/trust/grant.ts';
import { type Signer, signerFrom } from '../src/bus/trust/nkey.ts';
import { bytesToSign } from '../src/bus/trust/signed-text.ts';
import { golden, sample, sampleReply, sampleRequest, sampleValue } from './golden.ts';

const environment = 'test';
const WEB1 = { role: 'agent', id: 'web1' } as const;
const DB1 = { role: 'agent', id: 'db1' } as const;
const PROBER = { role: 'prober', id: 'p1' } as const;
const DASHBOARD = { role: 'dashboard', id: 'd1' } as const;
const ADA = { role: 'operator', id: 'ada' } as const;
/** An operator of web1 only. */
const BOB = { role: 'operator', id: 'bob', hosts: ['web1'] } as const;
const ADMIN = { role: 'admin', id: 'setup' } as const;
const STOP_WEB1 = buildSubject(environment, commands.stop.template, { host: 'web1' });
const NOT_SIGNED_SO = 'it is not what operator/ada has signed';
const soon = { timeoutMs: 10_000 };

let testBus: TestBus;
let web1: NatsBus;
/** What web1 was asked to stop, by whom. */
const acted: string[] = [];
const problems: BusProblem[] = [];

beforeAll(async () => {
  testBus = await TestBus.start([WEB1, DB1, PROBER, DASHBOARD, ADA, BOB, ADMIN]);
  web1 = await open(WEB1, problems);
  web1.respond(commands.stop, { host: 'web1' }, async ({ id, service }, _params, { role, id: by }) => {
    acted.push(`${service} for ${role}/${by}`);
    return { ...(golden('commands/stop.reply') as object), commandId: id } as never;
  });
  await web1.flush();
});
afterAll(async () => {
  await web1.drain();
  await testBus[Symbol.asyncDispose]();
});

function open(identity: Identity, told: BusProblem[] = [], credentials?: string): Promise<NatsBus> {
  const onProblem = (problem: BusProblem) => void told.push(problem);
  return testBus.connect(identity, { onProblem, ...(credentials !== undefined && { credentials }) });
}

/** A client without rules of its own, with the credentials of somebody. */
function openRaw(identity: Identity): Promise<NatsConnection> {
  return testBus.connectRaw(identity, { inboxPrefix: `_INBOX.${identity.role}.${identity.id}` });
}

async function signerOf(identity: Identity): Promise<{ signer: Signer; grant: string }> {
  const { seed, grant = '' } = parseCredentials(await readFile(testBus.credentials(identity), 'utf8'));
  return { signer: signerFrom(seed), grant };
}

let replies = 0;

/** Asks as who has these credentials would, with whatever headers. */
function asked(raw: NatsConnection, { role, id }: Identity, body: Uint8Array, forgery: Forgery): Promise<Msg> {
  const reply = `${answerPrefix(environment, { answerer: 'web1', role, id })}.raw.${++replies}`;
  return raw.request(STOP_WEB1, body, { timeout: 10_000, headers: headersOf(forgery), noMux: true, reply });
}

interface Forgery {
  readonly signature?: string;
  readonly grant?: string;
}

function headersOf({ signature, grant }: Forgery) {
  const all = headers();
  if (signature !== undefined) all.set('Muster-Signature', signature);
  if (grant !== undefined) all.set('Muster-Grant', grant);
  return all;
}

const bytesOf = (value: unknown) => Buffer.from(JSON.stringify(value));

/** Runs an attack, and returns what web1 made of it. Nothing of it may act. */
async function attacked(attack: () => Promise<unknown>): Promise<BusProblem | undefined> {
  const before = web1.counters;
  const actedBefore = acted.length;
  await attack();
  await eventually(() => web1.counters.forged + web1.counters.foreign > before.forged + before.foreign, {
    message: 'the attack is counted',
  });
  expect(acted.slice(actedBefore)).toEqual([]);
  return problems.at(-1);
}

test('who is granted it is obeyed, and known to who obeys', async () => {
  await using ada = await open(ADA);
  await using bob = await open(BOB);
  for (const bus of [ada, bob]) {
    const question = sampleRequest('stop', `${bus.role}/${bus.id}`);
    const answer = bus.request(commands.stop, { host: 'web1' }, question, soon);
    expect(await answer).toMatchObject({ accepted: true });
  }
  expect(acted.slice(-2)).toEqual(['rag-api for operator/ada', 'rag-api for operator/bob']);
});

describe('the server is made to publish stored bytes', () => {
  /** Stores a command in a stream that the dashboard may write, as the dashboard would sign it for another subject. */
  async function stored(raw: NatsConnection, forgery: Forgery): Promise<void> {
    const subject = `$KV.${bucketName(environment, 'views')}.x`;
    await raw.request(subject, bytesOf(sampleRequest('stop')), { timeout: 10_000, headers: headersOf(forgery) });
  }
  const views = `KV_${bucketName(environment, 'views')}`;

  test('as a command, by DIRECT.GET: refused and counted', async () => {
    const raw = await openRaw(DASHBOARD);
    await stored(raw, {});
    const problem = await attacked(async () => {
      raw.publish(`$JS.API.DIRECT.GET.${views}`, bytesOf({ last_by_subj: `$KV.muster_test_views.x` }), {
        reply: STOP_WEB1,
      });
      await raw.flush();
    });
    expect(problem).toMatchObject({
      kind: 'foreign',
      subject: STOP_WEB1,
      reason: /its reply subject is not in the space of its answers/,
    });
    await raw.close();
  });

  test('as a command, by a consumer that delivers there: refused and counted', async () => {
    const raw = await openRaw(DASHBOARD);
    await stored(raw, {});
    const config = { ack_policy: 'none', deliver_policy: 'last', deliver_subject: STOP_WEB1, mem_storage: true };
    const problem = await attacked(async () => {
      await raw.request(`$JS.API.CONSUMER.CREATE.${views}`, bytesOf({ stream_name: views, config }), {
        timeout: 10_000,
      });
    });
    expect(problem?.kind).toBe('foreign');
    await raw.close();
  });

  test('as a command that an operator has signed: refused', async () => {
    const { signer, grant } = await signerOf(ADA);
    const body = bytesOf(sampleRequest('stop'));
    const signature = signer.sign(bytesToSign('request', STOP_WEB1, body));
    const raw = await openRaw(DASHBOARD);
    await raw.request('$KV.muster_test_views.y', body, { timeout: 10_000, headers: headersOf({ signature, grant }) });
    const problem = await attacked(async () => {
      raw.publish(`$JS.API.DIRECT.GET.${views}`, bytesOf({ last_by_subj: '$KV.muster_test_views.y' }), {
        reply: STOP_WEB1,
      });
      await raw.flush();
    });
    expect(problem?.kind).toBe('foreign');
    await raw.close();
  });

  test('as an answer: dropped and counted, and the true answer is heard', async () => {
    const told: BusProblem[] = [];
    await using ada = await open(ADA, told);
    const raw = await openRaw(DASHBOARD);
    const lie = { ...golden('commands/why.reply'), reason: 'a lie' };
    await raw.request('$KV.muster_test_views.z', bytesOf(lie), { timeout: 10_000 });
    const answering = web1.respond(commands.why, { host: 'web1' }, async () => {
      // Only now is the asker's inbox known: the attacker is given more than it could learn.
      const inbox = await eventually(() => asking[0]);
      raw.publish(`$JS.API.DIRECT.GET.${views}`, bytesOf({ last_by_subj: '$KV.muster_test_views.z' }), {
        reply: inbox,
      });
      await raw.flush();
      await eventually(() => ada.counters.forged === 1);
      return golden('commands/why.reply') as never;
    });
    const asking: string[] = [];
    const spy = await openRaw(WEB1);
    spy.subscribe(buildSubject(environment, commands.why.template, { host: 'web1' }), {
      callback: (_error, message) => void asking.push(message.reply ?? ''),
    });
    await Promise.all([spy.flush(), web1.flush()]);
    const asked = ada.request(commands.why, { host: 'web1' }, sampleRequest('why'), soon);
    expect((await asked).reason).not.toBe('a lie');
    expect(told).toMatchObject([{ kind: 'forged', reason: expect.stringContaining('answer: it is not signed') }]);
    answering.stop();
    await Promise.all([spy.close(), raw.close()]);
  });

  test('as an entry of a bucket, and as an event: counted, and not taken for one', async () => {
    const told: BusProblem[] = [];
    await using reader = await open(ADA, told);
    const raw = await openRaw(DASHBOARD);
    const status = { ...sampleValue('status'), service: 'forged' };
    await raw.request('$KV.muster_test_views.status', bytesOf(status), { timeout: 10_000 });
    await raw.request('$KV.muster_test_views.heartbeat', bytesOf(sample('hostPresence')), { timeout: 10_000 });
    const seen: string[] = [];
    reader
      .kv('status')
      .watch({ onEntry: (key) => seen.push(key), onReady: () => seen.push('ready'), onReset: () => {} });
    reader.subscribe(rows.hostPresence, {}, () => seen.push('heartbeat'));
    await eventually(() => seen.includes('ready'));
    await reader.flush();
    const key = keys.instance('web1', 'forged', 0);
    const get = (last: string, reply: string) =>
      raw.publish(`$JS.API.DIRECT.GET.${views}`, bytesOf({ last_by_subj: `$KV.muster_test_views.${last}` }), { reply });
    get('status', `$KV.${bucketName(environment, 'status')}.${key}`);
    get('heartbeat', buildSubject(environment, rows.hostPresence.template, { host: 'web1' }));
    await raw.flush();
    await eventually(() => reader.counters.forged >= 2, { message: 'both are counted' });
    expect(seen).toEqual(['ready']);
    expect(await reader.kv('status').get(key)).toBeUndefined();
    expect(told.every(({ kind }) => kind === 'forged')).toBe(true);
    // The next true word is heard.
    await web1.kv('status').put(key, status);
    expect(await reader.kv('status').get(key)).toBeDefined();
    await eventually(() => seen.includes(key));
    await raw.close();
  });
});

describe('a message that somebody sends by itself', () => {
  /** As the server lets an operator publish it. */
  async function sent(forgery: Forgery, body: Uint8Array = bytesOf(sampleRequest('stop'))): Promise<string> {
    const raw = await openRaw(ADA);
    let answer: Msg | undefined;
    const problem = await attacked(async () => {
      answer = await asked(raw, ADA, body, forgery);
    });
    expect(problem).toMatchObject({ kind: 'forged', subject: STOP_WEB1 });
    expect(answer?.json()).toMatchObject({ accepted: false, code: 'forbidden', reason: problem?.reason });
    await raw.close();
    return problem?.reason ?? '';
  }
  const signed = async (identity: Identity, body: Uint8Array, subject = STOP_WEB1): Promise<Required<Forgery>> => {
    const { signer, grant } = await signerOf(identity);
    return { signature: signer.sign(bytesToSign('request', subject, body)), grant };
  };

  test('without headers', async () => {
    expect(await sent({})).toBe('it is not signed: Muster-Signature and Muster-Grant are needed');
    const { grant, signature } = await signed(ADA, bytesOf(sampleRequest('stop')));
    expect(await sent({ grant })).toMatch(/it is not signed/);
    expect(await sent({ signature })).toMatch(/it is not signed/);
  });

  test('with another body than was signed, or for another host', async () => {
    const body = bytesOf(sampleRequest('stop'));
    expect(await sent(await signed(ADA, bytesOf(sampleRequest('stop'))), body)).toBe(NOT_SIGNED_SO);
    const elsewhere = buildSubject(environment, commands.stop.template, { host: 'db1' });
    expect(await sent(await signed(ADA, body, elsewhere), body)).toBe(NOT_SIGNED_SO);
  });

  test('with the grant of somebody with another key, and with a role that may not', async () => {
    const body = bytesOf(sampleRequest('stop'));
    const { signature } = await signed(PROBER, body);
    const { grant } = await signerOf(ADA);
    expect(await sent({ signature, grant }, body)).toBe(NOT_SIGNED_SO);
    expect(await sent(await signed(PROBER, body), body)).toBe(
      'prober/p1 may not ask this: the roles that may are dashboard, operator, admin',
    );
    const again = bytesOf(sampleRequest('stop'));
    expect(await sent(await signed(WEB1, again), again)).toMatch(/^agent\/web1 may not ask this/);
  });

  test('with a grant that its bearer has signed itself, or for another environment', async () => {
    const { signer } = await signerOf(ADA);
    const root = signerFrom((await readFile(join(testBus.keysDir, 'root.nk'), 'utf8')).trim());
    const wanted = { key: signer.publicKey, role: 'admin', id: 'setup', hosts: 'all' } as const;
    const body = bytesOf(sampleRequest('stop'));
    const signature = signer.sign(bytesToSign('request', STOP_WEB1, body));
    const selfSigned = issueGrant({ ...wanted, environment }, signer);
    expect(await sent({ signature, grant: selfSigned }, body)).toMatch(/not signed by this environment's root/);
    const elsewhere = issueGrant({ ...wanted, environment: 'production' }, root);
    expect(await sent({ signature, grant: elsewhere }, body)).toMatch(/it is for environment 'production'/);
  });

  test('that was heard before: no second answer, and no second deed', async () => {
    const body = bytesOf(sampleRequest('stop'));
    const forgery = await signed(ADA, body);
    const raw = await openRaw(ADA);
    const first = await asked(raw, ADA, body, forgery);
    expect(first.json()).toMatchObject({ accepted: true });
    let answers = 0;
    const reply = `${answerPrefix(environment, { answerer: 'web1', ...ADA })}.replay`;
    raw.subscribe(reply, { callback: () => void answers++ });
    const problem = await attacked(async () => {
      raw.publish(STOP_WEB1, body, { reply, headers: headersOf(forgery) });
      await raw.flush();
    });
    expect(problem).toMatchObject({ kind: 'forged', reason: 'it was heard before' });
    // Whatever had been sent to the inbox is there by now.
    await web1.flush();
    await raw.flush();
    expect(answers).toBe(0);
    await raw.close();
  });

  test('about a host that is not in its grant', async () => {
    await using db1 = await open(DB1);
    db1.respond(commands.stop, { host: 'db1' }, async () => sampleReply('stop', 'db1'));
    await db1.flush();
    await using bob = await open(BOB);
    const asked = bob.request(commands.stop, { host: 'db1' }, sampleRequest('stop', 'operator/bob'), soon);
    expect(await asked).toMatchObject({
      accepted: false,
      code: 'forbidden',
      reason: "operator/bob is not granted host 'db1': have credentials made that name it",
    });
    expect(db1.counters).toMatchObject({ forged: 1, refused: 1 });
  });

  test('with garbage for headers: nothing throws, all is counted', async () => {
    const random = seededRandom();
    console.log(`headers: seed ${random.seed}`);
    const body = bytesOf(sampleRequest('stop'));
    const good = await signed(ADA, body);
    const mutated = (text: string) => {
      const at = random.integer(0, text.length - 1);
      return random.pick([
        text.slice(0, at),
        text.slice(0, at) + text.slice(at + 1),
        `${text.slice(0, at)}${random.pick(['.', '=', ' ', '\u{1f511}', 'A', '-'])}${text.slice(at + 1)}`,
        text.repeat(random.integer(2, 20)),
        Buffer.from(Array.from({ length: at }, () => random.integer(0, 255))).toString('base64url'),
      ]);
    };
    const raw = await openRaw(ADA);
    const before = web1.counters.forged;
    const actedBefore = acted.length;
    let sentOnes = 0;
    for (let i = 0; i < 300; i++) {
      const which = random.integer(0, 2);
      const forgery = {
        signature: which === 0 ? good.signature : mutated(good.signature),
        grant: which === 1 ? good.grant : mutated(good.grant),
      };
      if (forgery.signature.trim() === good.signature && forgery.grant.trim() === good.grant) continue;
      raw.publish(STOP_WEB1, body, {
        reply: `${answerPrefix(environment, { answerer: 'web1', ...ADA })}.fuzz`,
        headers: headersOf(forgery),
      });
      sentOnes++;
    }
    await raw.flush();
    await eventually(() => web1.counters.forged - before === sentOnes, { message: 'all are counted' });
    expect(acted).toHaveLength(actedBefore);
    await raw.close();
  });
});

describe('a person behind a dashboard', () => {
  /** Granted web1 only, and people up to operators. */
  const NARROW = { role: 'dashboard', id: 'narrow', hosts: ['web1'], delegates: 'operator' } as const;
  const ADA_THERE: PersonClaims = {
    who: 'user/ada',
    role: 'operator',
    hosts: ['web1'],
    expiresAt: '2999-01-01T00:00:00Z',
  };
  const actors: string[] = [];
  let narrow: NatsBus;

  beforeAll(async () => {
    await testBus.mint([NARROW]);
    narrow = await open(NARROW);
    web1.respond(commands.restart, { host: 'web1' }, async ({ actor }, _params, { person }) => {
      actors.push(`${actor} as ${person?.role}`);
      return golden('commands/restart.reply') as never;
    });
    web1.respond(commands.logs, { host: 'web1' }, async () => golden('commands/logs.reply') as never);
    await web1.flush();
  });
  afterAll(() => narrow.drain());

  const ask = (person: string, host = 'web1') =>
    narrow.request(commands.restart, { host }, sampleRequest('restart', 'dashboard/narrow'), { ...soon, person });
  const refused = (reason: RegExp) => ({ accepted: false, code: 'forbidden', reason: expect.stringMatching(reason) });

  test('is the actor, whatever the question says', async () => {
    expect(await ask(narrow.vouchFor(ADA_THERE))).toMatchObject({ accepted: true });
    expect(actors.at(-1)).toBe('user/ada as operator');
  });

  test('may not do more than their role, or after its end', async () => {
    const viewer = narrow.vouchFor({ ...ADA_THERE, role: 'viewer' });
    expect(await ask(viewer)).toMatchObject(
      refused(/^user\/ada may not ask this: it takes the role operator, and theirs is viewer$/),
    );
    const reading = narrow.request(commands.logs, { host: 'web1' }, sampleRequest('logs', 'dashboard/narrow'), {
      ...soon,
      person: viewer,
    });
    expect(await reading).toMatchObject({ accepted: true });
    const past = narrow.vouchFor({ ...ADA_THERE, expiresAt: '2020-01-01T00:00:00Z' });
    expect(await ask(past)).toMatchObject(refused(/has ended at 2020-01-01T00:00:00Z: sign in again$/));
  });

  test('is given no more than their dashboard has, and by nobody who may not delegate', async () => {
    expect(await ask(narrow.vouchFor({ ...ADA_THERE, role: 'admin' }))).toMatchObject(
      refused(/dashboard\/narrow may speak for people up to operator, not admin$/),
    );
    for (const hosts of ['all' as const, ['web1', 'db1']]) {
      expect(await ask(narrow.vouchFor({ ...ADA_THERE, hosts }))).toMatchObject(
        refused(/it names hosts that dashboard\/narrow is not granted$/),
      );
    }
    await using ada = await open(ADA);
    const byOperator = ada.request(commands.restart, { host: 'web1' }, sampleRequest('restart', 'operator/ada'), {
      ...soon,
      person: ada.vouchFor(ADA_THERE),
    });
    expect(await byOperator).toMatchObject(refused(/operator\/ada may not speak for people$/));
    // What another has signed is not this dashboard's word.
    await using wide = await open(DASHBOARD);
    expect(await ask(wide.vouchFor(ADA_THERE))).toMatchObject(refused(/it is not signed by who brings it$/));
    const elsewhere = { ...ADA_THERE, hosts: ['db1'] };
    expect(
      await wide.request(commands.restart, { host: 'web1' }, sampleRequest('restart', 'dashboard/d1'), {
        ...soon,
        person: wide.vouchFor(elsewhere),
      }),
    ).toMatchObject(refused(/^user\/ada is not granted host 'web1'$/));
  });

  test('cannot be taken away from a question on its way, nor put into it', async () => {
    const { signer, grant } = await signerOf(NARROW);
    const person = narrow.vouchFor({ ...ADA_THERE, role: 'viewer' });
    const raw = await openRaw(NARROW);
    const subject = buildSubject(environment, commands.restart.template, { host: 'web1' });
    const send = async (signedWith: string | undefined, sentWith: string | undefined) => {
      const body = bytesOf({ ...sampleRequest('restart', 'dashboard/narrow') });
      const head = signedWith === undefined ? subject : `${subject} ${signedWith}`;
      const all = headersOf({ signature: signer.sign(bytesToSign('request', head, body)), grant });
      if (sentWith !== undefined) all.set('Muster-Person', sentWith);
      const reply = `${answerPrefix(environment, { answerer: 'web1', ...NARROW })}.raw.${++replies}`;
      return raw.request(subject, body, { timeout: 10_000, headers: all, noMux: true, reply });
    };
    const notSigned = { accepted: false, reason: 'it is not what dashboard/narrow has signed' };
    expect((await send(person, undefined)).json()).toMatchObject(notSigned);
    expect((await send(undefined, person)).json()).toMatchObject(notSigned);
    expect((await send(undefined, undefined)).json()).toMatchObject({ accepted: true });
    await raw.close();
  });
});

describe('what a question names in its body', () => {
  /** Each is granted web1 only. */
  const NARROW = { role: 'dashboard', id: 'narrow-asker', hosts: ['web1'] } as const;
  const HALF = { role: 'prober', id: 'half', hosts: ['web1'] } as const;
  const answered: string[] = [];
  let prober: NatsBus;
  let narrow: NatsBus;
  let bob: NatsBus;

  beforeAll(async () => {
    await testBus.mint([NARROW, HALF]);
    [prober, narrow, bob] = await Promise.all([open(PROBER), open(NARROW), open(BOB)]);
    for (const verb of ['probe', 'remove', 'acknowledge', 'silence', 'recover'] as const) {
      const row: RequestRow = proberCommands[verb];
      prober.respond(row, {}, async (request) => {
        const { id } = request as { id: string };
        answered.push(verb);
        const reply = golden(`prober-commands/${verb}.reply`);
        return { ...reply, commandId: id, source: 'prober/p1' };
      });
    }
    web1.respond(commands.dependency, { host: 'web1' }, async () => {
      answered.push('dependency');
      return sampleReply('dependency', 'web1') as never;
    });
    await Promise.all([prober.flush(), web1.flush()]);
  });
  afterAll(async () => {
    await Promise.all([prober.drain(), narrow.drain(), bob.drain()]);
  });

  type Verb = 'probe' | 'remove' | 'acknowledge' | 'silence' | 'recover';
  const question = (verb: Verb, bus: NatsBus, changes: object) =>
    ({
      ...golden(`prober-commands/${verb}.request`),
      id: uuidv7(),
      source: `${bus.role}/${bus.id}`,
      ...changes,
    }) as never;
  const ask = (bus: NatsBus, verb: Verb, changes: object, person?: string) => {
    const row: RequestRow = proberCommands[verb];
    const options = { ...soon, ...(person !== undefined && { person }) };
    return bus.request(row, {}, question(verb, bus, changes), options);
  };
  /** What it was refused for: whether or not its answer could have told. */
  const refusal = (asking: Promise<unknown>) =>
    asking.then(
      (answer) => (answer as { reason: string; accepted: boolean }).accepted || (answer as { reason: string }).reason,
      (error: { reason?: string }) => error.reason,
    );

  const IDENTITY = "is not granted host 'db1': have credentials made that name it";

  test('has to be granted to the identity', async () => {
    const before = answered.length;
    expect(await refusal(ask(bob, 'probe', { host: 'db1' }))).toBe(`operator/bob ${IDENTITY}`);
    expect(await refusal(ask(bob, 'remove', { host: 'db1' }))).toBe(`operator/bob ${IDENTITY}`);
    for (const verb of ['acknowledge', 'silence'] as const) {
      expect(await refusal(ask(bob, verb, { fingerprint: 'db1/api/failed' }))).toBe(`operator/bob ${IDENTITY}`);
    }
    expect(await refusal(ask(web1, 'recover', { host: 'db1' }))).toBe(`agent/web1 ${IDENTITY}`);
    await using half = await open(HALF);
    const told = half.request(
      commands.dependency,
      { host: 'web1' },
      { ...sampleRequest('dependency', 'prober/half'), target: 'db1/postgres' },
      soon,
    );
    expect(await refusal(told)).toBe(`prober/half ${IDENTITY}`);
    expect(answered).toHaveLength(before);
    expect(await refusal(ask(bob, 'remove', { host: 'web1' }))).toBe(true);
    expect(await refusal(ask(bob, 'silence', { fingerprint: 'web1/api/failed' }))).toBe(true);
  });

  test('has to be granted to the person behind it', async () => {
    const before = answered.length;
    await using wide = await open(DASHBOARD);
    const claims: PersonClaims = {
      who: 'user/ada',
      role: 'operator',
      hosts: ['web1'],
      expiresAt: '2999-01-01T00:00:00Z',
    };
    for (const bus of [wide, narrow]) {
      const person = bus.vouchFor(claims);
      const reason = bus === wide ? "user/ada is not granted host 'db1'" : `dashboard/narrow-asker ${IDENTITY}`;
      expect(await refusal(ask(bus, 'probe', { host: 'db1' }, person))).toBe(reason);
      expect(await refusal(ask(bus, 'silence', { fingerprint: 'db1/api/failed' }, person))).toBe(reason);
    }
    expect(answered).toHaveLength(before);
    expect(await refusal(ask(wide, 'probe', { host: 'web1' }, wide.vouchFor(claims)))).toBe(true);
  });

  test('is known of every question that names one', () => {
    const named = Object.entries({ ...commands, ...proberCommands }).filter(([, row]) => row.hostFields.length > 0);
    expect(Object.fromEntries(named.map(([verb, { hostFields }]) => [verb, hostFields]))).toEqual({
      dependency: ['target'],
      probe: ['host'],
      acknowledge: ['fingerprint'],
      silence: ['fingerprint'],
      remove: ['host'],
      recover: ['host'],
    });
  });
});

describe('an answer', () => {
  test('that another agent has signed, or that answers something else, is none', async () => {
    const { signer, grant } = await signerOf(DB1);
    const own = await signerOf(WEB1);
    const template = commands.outcome.template;
    const raw = await openRaw(WEB1);
    let isForeign = true;
    raw.subscribe(buildSubject(environment, template, { host: 'web1' }), {
      callback: (_error, message) => {
        const body = bytesOf(golden('commands/outcome.reply'));
        const question = message.headers?.get('Muster-Signature') ?? '';
        const foreign = { signature: signer.sign(bytesToSign('reply', question, body)), grant };
        const elsewhere = { signature: own.signer.sign(bytesToSign('reply', 'another', body)), grant: own.grant };
        message.respond(body, { headers: headersOf(isForeign ? foreign : elsewhere) });
      },
    });
    await raw.flush();
    const told: BusProblem[] = [];
    await using ada = await open(ADA, told);
    const ask = () => ada.request(commands.outcome, { host: 'web1' }, sampleRequest('outcome'), { timeoutMs: 1_000 });
    // It is asked again when the answer came after its time.
    const refused = async () =>
      (await eventually(() => ask().catch((error: unknown) => error instanceof BadReplyError && error))) as Error;
    expect((await refused()).message).toMatch(
      /it is from agent\/db1, not from the agent that was asked; no other came within 1000 ms/,
    );
    isForeign = false;
    expect((await refused()).message).toMatch(/no other came within 1000 ms/);
    expect(told.map(({ kind }) => kind)).toEqual(['forged', 'forged']);
    await raw.close();
  });

  test('to an agent that asks a prober is signed too, and only agents may ask to recover', async () => {
    await using prober = await open(PROBER);
    const askers: string[] = [];
    prober.respond(proberCommands.recover, {}, async (_request, _params, { role, id }) => {
      askers.push(`${role}/${id}`);
      return golden('prober-commands/recover.reply') as never;
    });
    await prober.flush();
    const request = golden('prober-commands/recover.request') as never;
    expect(await web1.request(proberCommands.recover, {}, request, soon)).toMatchObject({ granted: true });
    expect(askers).toEqual(['agent/web1']);
  });
});

describe('a verdict', () => {
  const OTHER_PROBER = { role: 'prober', id: 'p2' } as const;
  const API = { host: 'web1', service: 'api', instance: 0 } as const;
  const SUBJECT = buildSubject(environment, rows.health.template, API);
  const ELSEWHERE = buildSubject(environment, rows.health.template, { ...API, instance: 1 });
  let position = 0;
  const verdict = (changes: Partial<Verdict> = {}): Verdict => ({
    ...sample('health'),
    id: uuidv7(),
    ...API,
    seq: ++position,
    ...changes,
  });

  /** What somebody who may publish there sends by itself. */
  async function said(
    raw: NatsConnection,
    body: Uint8Array,
    forgery: Forgery,
    subject: string = SUBJECT,
  ): Promise<void> {
    await raw.request(subject, body, { timeout: 10_000, headers: headersOf(forgery) });
  }

  async function signed(identity: Identity, body: Uint8Array, subject = SUBJECT): Promise<Required<Forgery>> {
    const { signer, grant } = await signerOf(identity);
    return { signature: signer.sign(bytesToSign('message', subject, body)), grant };
  }

  /** One who listens, and then reads what the stream has, in both ways. */
  async function listening(told: BusProblem[]) {
    const bus = await open(DASHBOARD, told);
    const heard: number[] = [];
    bus.subscribe(rows.health, {}, ({ seq }) => heard.push(seq));
    await bus.flush();
    return { bus, heard };
  }
  async function readBack(bus: NatsBus): Promise<{ history: number[]; inOrder: number[] }> {
    const inOrder: number[] = [];
    for await (const next of bus.read(rows.health, API, { signal: AbortSignal.timeout(20_000) })) {
      if (next !== 'caught-up') inOrder.push(next.message.seq);
    }
    return { history: (await bus.history(rows.health, API)).map(({ message }) => message.seq), inOrder };
  }

  test('that its prober has signed is heard, and read back', async () => {
    await using prober = await open(PROBER);
    const told: BusProblem[] = [];
    const { bus, heard } = await listening(told);
    const before = await readBack(bus);
    const first = verdict();
    const second = verdict();
    await prober.publishOrdered(
      rows.health,
      { ...API, instance: 1 },
      { ...first, instance: 1 },
      { expectedLastSeq: 0 },
    );
    prober.publish(rows.health, API, second);
    await eventually(() => heard.length === 2);
    expect(heard).toEqual([first.seq, second.seq]);
    const { history, inOrder } = await readBack(bus);
    expect(history).toEqual([...before.history, second.seq]);
    expect(inOrder).toEqual(history);
    expect(told).toEqual([]);
    await bus.drain();
  });

  type Attack = readonly [
    what: string,
    reason: RegExp,
    make: () => Promise<{ readonly body: Uint8Array; readonly forgery: Forgery }>,
  ];
  const by = async (identity: Identity, subject?: string) => {
    const body = bytesOf(verdict());
    return { body, forgery: await signed(identity, body, subject) };
  };
  const ATTACKS: readonly Attack[] = [
    [
      'that nobody has signed',
      /^it is not signed: Muster-Signature and Muster-Grant are needed$/,
      async () => ({ body: bytesOf(verdict()), forgery: {} }),
    ],
    ['that an agent has signed', /^agent\/web1 may not say this: the roles that may are prober$/, () => by(WEB1)],
    ['that was signed for another subject', /^it is not what prober\/p1 has signed$/, () => by(PROBER, ELSEWHERE)],
    [
      'with a byte that was changed',
      /^it is not what prober\/p1 has signed$/,
      async () => {
        const { body, forgery } = await by(PROBER);
        const text = Buffer.from(body).toString();
        return { body: Buffer.from(text.replace('"seq":', '"seq":1')), forgery };
      },
    ],
    [
      'that was signed as a question',
      /^it is not what prober\/p1 has signed$/,
      async () => {
        const body = bytesOf(verdict());
        const { signer, grant } = await signerOf(PROBER);
        return { body, forgery: { signature: signer.sign(bytesToSign('request', SUBJECT, body)), grant } };
      },
    ],
    [
      'that one prober has signed as if it were from another',
      /^it is signed by prober\/p1, and says that it is from prober\/p2$/,
      async () => {
        const body = bytesOf(verdict({ source: 'prober/p2' }));
        return { body, forgery: await signed(PROBER, body) };
      },
    ],
  ];

  test.each(ATTACKS)('%s is dropped and counted, live and in the stream', async (_what, reason, make) => {
    const { body, forgery } = await make();
    const told: BusProblem[] = [];
    const { bus, heard } = await listening(told);
    const before = await readBack(bus);
    const forgedBefore = bus.counters.forged;
    told.length = 0;
    const raw = await openRaw(PROBER);
    await said(raw, body, forgery);
    await eventually(() => told.length > 0, { message: 'it is counted' });
    expect(told).toEqual([{ kind: 'forged', subject: SUBJECT, reason: expect.stringMatching(reason) }]);
    expect(bus.counters.forged).toBe(forgedBefore + 1);
    expect(await readBack(bus)).toEqual(before);
    // The next true word is heard.
    const good = await by(PROBER);
    await said(raw, good.body, good.forgery);
    await eventually(() => heard.length > 0);
    expect(heard).toEqual([position]);
    await Promise.all([raw.close(), bus.drain()]);
  });

  test('that is said again is not taken for a newer one; the newest again is no harm', async () => {
    const [old, newer] = [await by(PROBER), await by(PROBER)];
    const told: BusProblem[] = [];
    const { bus, heard } = await listening(told);
    const before = await readBack(bus);
    told.length = 0;
    const doubledBefore = bus.counters.doubled;
    const raw = await openRaw(PROBER);
    for (const { body, forgery } of [old, newer, old, newer]) await said(raw, body, forgery);
    await eventually(() => bus.counters.doubled === doubledBefore + 1 && told.length === 1);
    expect(heard).toEqual([position - 1, position]);
    const again = {
      kind: 'forged',
      subject: SUBJECT,
      reason: 'it is an old one: a later one of prober/p1 came before it',
    };
    expect(told).toEqual([again]);
    const { history, inOrder } = await readBack(bus);
    expect(history).toEqual([...before.history, ...heard]);
    expect(inOrder).toEqual(history);
    await Promise.all([raw.close(), bus.drain()]);
  });

  test('of an earlier life of its prober is an old one too, whatever its number', async () => {
    const epoch = sample('health').epoch;
    const of = async (changes: Partial<Verdict>) => {
      const body = bytesOf(verdict(changes));
      return { body, forgery: await signed(PROBER, body) };
    };
    const { bus, heard } = await listening([]);
    const raw = await openRaw(PROBER);
    const earlier = await of({});
    const later = await of({ epoch: epoch + 1, seq: 1 });
    for (const { body, forgery } of [later, earlier]) await said(raw, body, forgery);
    await eventually(() => bus.counters.forged > 0);
    expect(heard).toEqual([1]);
    await Promise.all([raw.close(), bus.drain()]);
  });

  test('by a revoked key counts no more, not even what it said before', async () => {
    await testBus.mint([OTHER_PROBER]);
    const body = bytesOf(verdict({ source: 'prober/p2', instance: 2 }));
    const subject = buildSubject(environment, rows.health.template, { ...API, instance: 2 });
    const forgery = await signed(OTHER_PROBER, body, subject);
    const told: BusProblem[] = [];
    const { bus, heard } = await listening(told);
    const raw = await openRaw(PROBER);
    await said(raw, body, forgery, subject);
    await eventually(() => heard.length === 1);
    expect(told).toEqual([]);

    const { signer } = await signerOf(OTHER_PROBER);
    const list = await revoke({
      directory: testBus.keysDir,
      environment,
      keys: [{ key: signer.publicKey, identity: 'prober/p2', reason: 'stolen' }],
    });
    await bus.revocations.offer(list.text);
    await said(raw, body, forgery, subject);
    const reason = 'the key of prober/p2 was revoked: have new credentials made';
    await eventually(() => told.length > 0);
    expect(told).toEqual([{ kind: 'forged', subject, reason }]);
    expect(await bus.history(rows.health, { ...API, instance: 2 })).toEqual([]);
    await Promise.all([raw.close(), bus.drain()]);
  });

  test('is not said by a prober whose credentials hold no grant: it says what would do', async () => {
    const { seed, jwt } = parseCredentials(await readFile(testBus.credentials(PROBER), 'utf8'));
    const older = new TextDecoder().decode(fmtCreds(jwt, fromSeed(new TextEncoder().encode(seed))));
    await using prober = await open(PROBER, [], older);
    const saying = prober.publishOrdered(rows.health, API, verdict(), { expectedLastSeq: 0 });
    await expect(saying).rejects.toThrow(
      /^cannot publish on '.*\.health\.web1\.api\.0': the credentials hold no grant: run 'muster bus keys'/,
    );
    expect(() => prober.publish(rows.health, API, verdict())).toThrow(NoGrantError);
  });

  test('is a plain message to whoever does not verify', async () => {
    await using prober = await open(PROBER);
    const raw = await openRaw(ADA);
    const heard: unknown[] = [];
    raw.subscribe(SUBJECT, { callback: (_error, message) => void heard.push(message.json()) });
    await raw.flush();
    const sent = verdict();
    prober.publish(rows.health, API, sent);
    await eventually(() => heard.length > 0);
    expect(heard).toEqual([sent]);
    await raw.close();
  });
});

test('credentials of an older version hold no grant: they say so once, and what would do', async () => {
  const { seed, jwt } = parseCredentials(await readFile(testBus.credentials(ADA), 'utf8'));
  const older = new TextDecoder().decode(fmtCreds(jwt, fromSeed(new TextEncoder().encode(seed))));
  const told: BusProblem[] = [];
  await using ada = await open(ADA, told, older);
  const remedy = /the credentials hold no grant: run 'muster bus keys' where the keys of the bus are/;
  await expect(ada.request(commands.stop, { host: 'web1' }, sampleRequest('stop'), soon)).rejects.toThrow(NoGrantError);
  expect(told).toMatchObject([{ kind: 'error', reason: expect.stringMatching(remedy) }]);
  using fleet = new FleetClient({ bus: ada, actor: 'user/ada' });
  expect(await fleet.command('web1', 'stop', { service: 'rag-api' })).toMatchObject({
    outcome: 'undelivered',
    code: 'no-grant',
    reason: expect.stringMatching(remedy),
  });
});

describe('a revoked key', () => {
  const MALLORY = { role: 'operator', id: 'mallory' } as const;

  test('counts no more as soon as the list is known; lists only go forward; both survive a restart', async () => {
    const storeFile = join(testBus.keysDir, 'agent-revocations');
    const openDb1 = async () => {
      const { role, id } = DB1;
      const bus = openBus({
        servers: testBus.url,
        credentialsFile: testBus.credentials(DB1),
        environment,
        role,
        id,
        revocationsFile: storeFile,
      });
      bus.respond(commands.stop, { host: 'db1' }, async () => sampleReply('stop', 'db1'));
      await bus.connected();
      await bus.flush();
      return bus;
    };
    await testBus.mint([MALLORY]);
    await using mallory = await open(MALLORY);
    const ask = () => mallory.request(commands.stop, { host: 'db1' }, sampleRequest('stop', 'operator/mallory'), soon);
    const db1 = await openDb1();
    expect(await ask()).toMatchObject({ accepted: true });

    const { signer } = await signerOf(MALLORY);
    const entry = { key: signer.publicKey, identity: 'operator/mallory', reason: 'left' };
    const empty = await revoke({ directory: testBus.keysDir, environment, keys: [] });
    const list = await revoke({ directory: testBus.keysDir, environment, keys: [entry] });
    expect(await db1.revocations.offer(list.text)).toMatchObject({ outcome: 'newer' });
    expect(await db1.revocations.offer(list.text)).toMatchObject({ outcome: 'known' });
    expect(await db1.revocations.offer(empty.text)).toMatchObject({ outcome: 'older' });
    expect(await db1.revocations.offer(`${list.text.slice(0, -4)}AAAA`)).toMatchObject({ outcome: 'forged' });
    const refused = {
      accepted: false,
      code: 'forbidden',
      reason: 'the key of operator/mallory was revoked: have new credentials made',
    };
    expect(await ask()).toMatchObject(refused);
    expect(db1.counters.forged).toBe(1);
    await db1.drain();

    await using again = await openDb1();
    expect(again.revocations.version).toBe(list.list.version);
    expect(await ask()).toMatchObject(refused);
  });

  test('the list in the bucket is replaced by a newer one only, whatever stands there', async () => {
    await using admin = await open(ADMIN);
    const list = await revoke({ directory: testBus.keysDir, environment, keys: [] });
    await admin.kv('config').put(keys.revocations(), {
      ...sampleValue('config'),
      kind: 'revocations',
      content: 'e30.AAAA',
    });
    expect(await publishRevocations(admin, list)).toBe(true);
    expect(await publishRevocations(admin, list)).toBe(false);
    expect((await admin.kv('config').get(keys.revocations()))?.value).toMatchObject({ content: list.text });
  });
});

test('every verb of an agent has its askers', () => {
  for (const [verb, { requesters }] of Object.entries(commands) as [AgentVerb, { requesters: readonly string[] }][]) {
    expect(requesters.length, verb).toBeGreaterThan(0);
    expect(requesters, verb).not.toContain('observer');
  }
  const askedByAgents = Object.entries(commands).filter(([, { requesters }]) => requesters.includes('agent'));
  // Of itself, who else speaks for its host.
  expect(askedByAgents.map(([verb]) => verb)).toEqual(['claim']);
  const acts = ['start', 'stop', 'restart', 'scale', 'reload', 'apply', 'adopt', 'forget', 'shutdown'] as const;
  for (const verb of acts) expect(commands[verb].requesters, verb).not.toContain('prober');
});

/** Its acknowledgements the server sends wherever a publisher says: none of them is anybody's word. */
describe("the server's acknowledgement of a thief's own event", () => {
  const INSTANCE = { host: 'web1', service: 'acked', instance: 0 } as const;
  const SUBJECT = buildSubject(environment, rows.instanceEvent.template, INSTANCE);
  let thief: NatsConnection;
  let reader: NatsBus;
  beforeAll(async () => {
    [thief, reader] = await Promise.all([openRaw(DB1), open(PROBER)]);
  });
  afterAll(async () => {
    await Promise.all([thief.close(), reader.drain()]);
  });

  const event = (id: string) => ({ ...sample('instanceEvent'), ...INSTANCE, id });

  async function aimAt(subject: string): Promise<void> {
    const own = buildSubject(environment, rows.hostEvent.template, { host: 'db1' });
    thief.publish(own, JSON.stringify({ ...sample('hostEvent'), id: uuidv7() }), { reply: subject });
    await thief.flush();
  }

  async function lastSeqOf(subject: string): Promise<number> {
    await using admin = await open(ADMIN);
    const reply = await admin.callJetStream<{ message: { seq: number } }>(
      `STREAM.MSG.GET.${streamName(environment, 'events')}`,
      { last_by_subj: subject },
    );
    return reply.message.seq;
  }

  test('costs no host an event, and is not its last word', async () => {
    await using folder = await temporaryDirectory();
    const first = await Outbox.open({ directory: folder.path, bus: web1 });
    first.append(rows.instanceEvent, INSTANCE, event('a'));
    await first.flushed(AbortSignal.timeout(30_000));
    await first.close();
    // As a process leaves it that was killed before the server had `b`.
    const lines = [
      { message: 2, subject: SUBJECT, id: 'b', payload: event('b') },
      { attempt: 2, last: await lastSeqOf(SUBJECT) },
    ];
    const [file = ''] = await readdir(folder.path);
    await appendFile(join(folder.path, file), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    const before = await lastSeqOf(SUBJECT);
    await aimAt(SUBJECT);
    await eventually(async () => (await lastSeqOf(SUBJECT)) > before, { message: 'it is stored there' });
    const second = await Outbox.open({ directory: folder.path, bus: web1 });
    second.append(rows.instanceEvent, INSTANCE, event('c'));
    await second.flushed(AbortSignal.timeout(30_000));
    const stored = await reader.history(rows.instanceEvent, INSTANCE);
    expect(stored.map(({ message }) => message.id)).toEqual(['a', 'b', 'c']);

    // With one after the other, what is expected is never what is there.
    const flood = new AbortController();
    const flooding = (async () => {
      while (!flood.signal.aborted) await Promise.all(Array.from({ length: 50 }, () => aimAt(SUBJECT)));
    })();
    for (const id of ['d', 'e', 'f']) second.append(rows.instanceEvent, INSTANCE, event(id));
    await second.flushed(AbortSignal.timeout(30_000));
    flood.abort();
    await flooding;
    await second.close();
    const last = await reader.history(rows.instanceEvent, INSTANCE, { lastOfEach: true });
    expect(last.map(({ message }) => message.id)).toEqual(['f']);
    const all = await reader.history(rows.instanceEvent, INSTANCE);
    expect(all.map(({ message }) => message.id)).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
  });

  test('keeps no key from those who write it', async () => {
    const key = keys.lease('judge', 'acked');
    const leases = reader.kv('leases');
    const lease = { ...sampleValue('leases'), holder: 'p1' };
    const { revision } = (await leases.create(key, lease)) ?? { revision: 0 };
    await aimAt(`$KV.${bucketName(environment, 'leases')}.${key}`);
    await eventually(async () => (await leases.unreadable(key)) !== undefined, { message: 'it is stored there' });
    expect(await leases.get(key)).toBeUndefined();
    expect(await leases.update(key, lease, revision)).toBeUndefined();
    expect(await leases.create(key, lease)).toBeDefined();
    expect(await leases.unreadable(key)).toBeUndefined();
    expect(await leases.create(key, lease)).toBeUndefined();
  });
});

describe('who asks without an end', () => {
  const GREEDY = { role: 'dashboard', id: 'greedy' } as const;

  test('is left without answers, and nobody else is', async () => {
    await testBus.mint([GREEDY]);
    const { signer, grant } = await signerOf(GREEDY);
    const raw = await openRaw(GREEDY);
    const before = { acted: acted.length, problems: problems.length };
    const most = 3_000;
    const limited = () => problems.slice(before.problems).some(({ reason }) => reason.includes('they get no answer'));
    for (let i = 0; i < most && !limited(); i++) {
      const body = bytesOf(sampleRequest('stop', 'dashboard/greedy'));
      const signature = signer.sign(bytesToSign('request', STOP_WEB1, body));
      const reply = `${answerPrefix(environment, { answerer: 'web1', ...GREEDY })}.raw.${++replies}`;
      raw.publish(STOP_WEB1, body, { reply, headers: headersOf({ signature, grant }) });
      if (i % 200 === 0) await raw.flush();
    }
    await raw.flush();
    await eventually(limited);
    await using ada = await open(ADA);
    const answer = ada.request(commands.stop, { host: 'web1' }, sampleRequest('stop'), soon);
    expect(await answer).toMatchObject({ accepted: true });
    expect(acted.length - before.acted).toBeLessThan(most);
    await raw.close();
  });

  test('without proof is told so only now and then', async () => {
    const { signer, grant } = await signerOf(ADA);
    const raw = await openRaw(ADA);
    const forgedBefore = web1.counters.forged;
    const reply = `${answerPrefix(environment, { answerer: 'web1', ...ADA })}.raw`;
    let told = 0;
    raw.subscribe(`${reply}.>`, { callback: () => void told++ });
    const signature = signer.sign(bytesToSign('request', STOP_WEB1, bytesOf('another')));
    const body = bytesOf(sampleRequest('stop'));
    const count = 2_000;
    for (let i = 0; i < count; i++) {
      raw.publish(STOP_WEB1, body, { reply: `${reply}.${++replies}`, headers: headersOf({ signature, grant }) });
    }
    await raw.flush();
    await eventually(() => web1.counters.forged - forgedBefore === count, { timeoutMs: 60_000 });
    await Promise.all([web1.flush(), raw.flush()]);
    expect(told).toBeLessThan(count / 2);
    // Whose name was used has lost nothing.
    await using ada = await open(ADA);
    const answer = ada.request(commands.stop, { host: 'web1' }, sampleRequest('stop'), soon);
    expect(await answer).toMatchObject({ accepted: true });
    await raw.close();
  });
});
