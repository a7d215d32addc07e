/*
 * A reply subject is chosen by whoever asks. Somebody with stolen credentials of any role publishes where it also listens,
 * names a subject of somebody else's as the reply, and answers itself there; or has others, and the server, answer there. A
 * witness who hears everything sees what came of it.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  answerPrefix,
  bucketName,
  buildSubject,
  commands,
  observerDelivery,
  permissionsFor,
  proberCommands,
  ROLES,
  type Role,
  type Row,
  rows,
  streamDefinitions,
} from '@muster/contracts';
import { type BusProblem, openBus, parseCredentials } from '@muster/contracts/bus';
import { TestBus } from '@muster/contracts/testing';
import { eventually } from '@muster/testkit';
import { createUser, encodeUser, fmtCreds, fromPublic, fromSeed, type KeyPair } from '@nats-io/jwt';
import { connect, credsAuthenticator, errors, headers, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { claimsIn, signerFrom } from '../src/bus/trust/nkey.ts';
import { bytesToSign } from '../src/bus/trust/signed-text.ts';
import { golden } from './golden.ts';

const environment = 'test';
/** Each role's, stolen; and those of somebody else. */
const THIEF: Readonly<Record<Role, string>> = {
  agent: 'web1',
  prober: 'p1',
  dashboard: 'd1',
  operator: 'ada',
  observer: 'pager',
  monitor: 'k6',
  admin: 'setup',
};
const VICTIM = {
  host: 'db1',
  service: 'api',
  instance: 0,
  severity: 'info',
  rule: 'failed',
  prober: 'p2',
  dashboard: 'd2',
};
const EXAMPLE = { ...VICTIM, host: 'web1', prober: 'p1', dashboard: 'd1', monitor: 'k6' };

/** Where nobody but its owner, or the server, may say anything. */
const TARGETS = [
  ...Object.values(rows).map(({ template }) => buildSubject(environment, template, { ...VICTIM, monitor: 'k7' })),
  buildSubject(environment, commands.stop.template, { host: 'db1' }),
  `$KV.${bucketName(environment, 'status')}.db1.api.0`,
  `$KV.${bucketName(environment, 'leases')}.prober.leader`,
  `${answerPrefix(environment, { answerer: 'db1', role: 'operator', id: 'ada' })}.x.1`,
  observerDelivery(environment, 'other'),
  '_INBOX.operator.bob.x.1',
  ...streamDefinitions(environment).map(({ name }) => `$JS.API.STREAM.DELETE.${name}`),
];

let testBus: TestBus;
let witness: NatsConnection;
/** Subject and text of what came by one of the targets. */
const seen: string[] = [];

beforeAll(async () => {
  testBus = await TestBus.start(ROLES.map((role) => ({ role, id: THIEF[role] })));
  witness = await connect({ servers: testBus.url, authenticator: credsAuthenticator(await allSeeing()) });
  for (const subject of TARGETS) {
    witness.subscribe(subject, { callback: (_error, message) => void seen.push(`${subject} ${message.string()}`) });
  }
  await witness.flush();
});
afterAll(async () => {
  await witness.close();
  await testBus[Symbol.asyncDispose]();
});

/** Somebody whom no role's limits bind, made with the keys of the bus. */
async function allSeeing(): Promise<Uint8Array> {
  const account = claimsIn(parseCredentials(await credentials('admin')).jwt).nats.issuer_account ?? '';
  const user = createUser();
  const signer = await signingKey();
  return fmtCreds(await encodeUser('witness', user, fromPublic(account), {}, { signer }), user);
}

/** What signs users in the account's name. */
async function signingKey(): Promise<KeyPair> {
  const seed = (await readFile(join(testBus.keysDir, 'account-signing.nk'), 'utf8')).trim();
  return fromSeed(new TextEncoder().encode(seed));
}

function credentials(role: Role): Promise<string> {
  return readFile(testBus.credentials({ role, id: THIEF[role] }), 'utf8');
}

async function steal(role: Role): Promise<NatsConnection> {
  const authenticator = credsAuthenticator(new TextEncoder().encode(await credentials(role)));
  return connect({ servers: testBus.url, authenticator, reconnect: false });
}

/** Subjects of messages and questions that this role may send, one of each. */
function ownSubjects(role: Role): string[] {
  const questions = [...Object.values(commands), ...Object.values(proberCommands)];
  return [
    ...Object.values(rows)
      .filter((row: Row) => row.publishers.includes(role))
      .map(({ template }) => buildSubject(environment, template, EXAMPLE)),
    ...questions
      .filter(({ requesters }) => requesters.includes(role))
      .map(({ template }) => buildSubject(environment, template, { host: 'web1' })),
  ];
}

describe.each(ROLES)('with the credentials of a %s', (role) => {
  test('no reply subject becomes a right to publish there', async () => {
    const { publish } = permissionsFor(environment, role, THIEF[role]);
    // What it may say anyway is no attack.
    const targets = TARGETS.filter((target) => !publish.some((pattern) => isWithin(pattern, target)));
    const thief = await steal(role);
    const denied = new Set<string>();
    void (async () => {
      for await (const status of thief.status()) {
        if (status.type === 'error' && status.error instanceof errors.PermissionViolationError) {
          denied.add(status.error.subject);
        }
      }
    })();
    const answer = (_error: Error | null, message: Msg) => {
      if (message.reply !== undefined && message.reply !== '') thief.publish(message.reply, 'forged');
    };
    for (const subject of permissionsFor(environment, role, THIEF[role]).subscribe) {
      thief.subscribe(subject, { callback: answer });
    }
    await thief.flush();
    const before = seen.length;
    for (const subject of ownSubjects(role)) {
      for (const reply of targets) thief.publish(subject, 'bait', { reply });
      // Its own answers' space is heard by others, and its own inbox by itself.
      await thief.flush();
    }
    for (const target of targets) thief.publish(target, 'forged');
    await thief.flush();
    await witness.flush();
    await eventually(() => targets.every((target) => denied.has(target)), { message: 'each is denied' });
    expect(seen.slice(before).filter((what) => what.endsWith('forged'))).toEqual([]);
    await thief.close();
  });
});

test('credentials of the version before may answer anywhere: who uses them is told what to do', async () => {
  const { jwt, seed } = parseCredentials(await credentials('agent'));
  const key = fromSeed(new TextEncoder().encode(seed));
  const root = 'muster.v1.test';
  const before = {
    pub: { allow: [`${root}.host.web1.>`, `${root}.service.web1.>`] },
    sub: { allow: [`${root}.command.web1.>`, '_INBOX.agent.web1.>'] },
    resp: { max: 1, ttl: 120_000_000_000 },
  };
  const account = claimsIn(jwt).nats.issuer_account ?? '';
  const older = await encodeUser('agent/web1', key, fromPublic(account), before, { signer: await signingKey() });
  const problems: BusProblem[] = [];
  await using agent = openBus({
    servers: testBus.url,
    credentials: (await credentials('agent')).replace(jwt, older),
    environment,
    role: 'agent',
    id: 'web1',
    onProblem: (problem) => void problems.push(problem),
  });
  await agent.connected();
  await eventually(() => problems.some(({ kind }) => kind === 'error'));
  expect(problems.find(({ kind }) => kind === 'error')?.reason).toMatch(
    /^the credentials of agent\/web1 are of an older version and lack \d+ rights, such as '.*': have 'muster host add web1 --keep-key' run on the host that runs the bus, and 'muster join --replace' here$/,
  );
});

test('who asks for somebody else, or outside the space of answers, is not answered', async () => {
  const web1 = { role: 'agent', id: 'web1' } as const;
  const problems: BusProblem[] = [];
  await using agent = openBus({
    servers: testBus.url,
    credentialsFile: testBus.credentials(web1),
    environment,
    ...web1,
    onProblem: (problem) => void problems.push(problem),
  });
  agent.respond(commands.status, { host: 'web1' }, async () => golden('commands/status.reply') as never);
  await agent.connected();
  await agent.flush();
  const thief = await steal('operator');
  const { seed, grant = '' } = parseCredentials(await credentials('operator'));
  const subject = buildSubject(environment, commands.status.template, { host: 'web1' });
  const replies = [
    `${answerPrefix(environment, { answerer: 'web1', role: 'dashboard', id: 'd1' })}.x`,
    `${answerPrefix(environment, { answerer: 'web1', role: 'operator', id: 'bob' })}.x`,
    `${answerPrefix(environment, { answerer: 'db1', role: 'operator', id: 'ada' })}.x`,
    answerPrefix(environment, { answerer: 'web1', role: 'operator', id: 'ada' }),
    buildSubject(environment, rows.hostEvent.template, { host: 'web1' }),
    '_INBOX.operator.ada.x',
  ];
  const answers: string[] = [];
  for (const reply of replies) {
    witness.subscribe(reply, { callback: (_error, message) => void answers.push(message.subject) });
  }
  await witness.flush();
  for (const [at, reply] of replies.entries()) {
    const body = Buffer.from(JSON.stringify({ ...golden('commands/status.request'), id: `question-${at}` }));
    const head = headers();
    head.set('Muster-Signature', signerFrom(seed).sign(bytesToSign('request', subject, body)));
    head.set('Muster-Grant', grant);
    thief.publish(subject, body, { reply, headers: head });
  }
  await thief.flush();
  await eventually(() => problems.length === replies.length);
  await agent.flush();
  await witness.flush();
  expect(problems.map(({ kind }) => kind)).toEqual(replies.map(() => 'foreign'));
  expect(answers).toEqual([]);
  await thief.close();
});

function isWithin(pattern: string, subject: string): boolean {
  const tokens = subject.split('.');
  const wanted = pattern.split('.');
  return (
    wanted.every((token, at) => token === '>' || token === '*' || token === tokens[at]) &&
    (wanted.at(-1) === '>' ? tokens.length >= wanted.length : tokens.length === wanted.length)
  );
}
