/*
 * Clients that were written from the documents alone, in examples/, on a real server with keys: they check every test vector,
 * ask an agent, and are agents. The same check of agents is passed by ours and by theirs, and not by one that does too little.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { commands, keys } from '@muster/contracts';
import { type Bus, openBus, uuidv7 } from '@muster/contracts/bus';
import { eventually, findPython } from '@muster/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bareEnvironment, ROOT_DIR, Running, runCli } from './run-cli.ts';
import { instanceStatus } from './samples.ts';
import { startTestBus, type TestBus } from './test-bus.ts';

const FOLDER = 'examples/foreign-clients';
const python = findPython('cryptography');
const LANGUAGES: readonly (readonly [language: string, command: string | undefined, suffix: string])[] = [
  ['Node', process.execPath, '.mjs'],
  ['Python', python, '.py'],
];
const refused = (
  JSON.parse(readFileSync(join(ROOT_DIR, 'docs/schemas/signature-vectors.json'), 'utf8')) as { refused: object[] }
).refused.length;

interface Finding {
  readonly check: string;
  readonly level: string;
  readonly text: string;
}

let bus: TestBus;

beforeAll(async () => {
  bus = await startTestBus();
});

afterAll(() => bus[Symbol.asyncDispose]());

/** A program with the credentials of an identity, which are made here. */
async function start(command: string, args: readonly string[], identity: string): Promise<Running> {
  await runCli(['bus', 'keys', '--add', identity], bus.env);
  const credentials = join(bus.keysDir, `${identity}.creds`);
  return new Running(command, args, bareEnvironment({ MUSTER_BUS_URL: bus.url, MUSTER_BUS_CREDENTIALS: credentials }));
}

/** What the check finds; its exit code is 0 when there is no problem. */
async function checkAgent(host: string): Promise<{ code: number | null; findings: readonly Finding[] }> {
  const { code, stdout, stderr } = await runCli(['bus', 'check-agent', host, '--json'], bus.env);
  if (stdout === '') throw new Error(stderr);
  return { code, findings: (JSON.parse(stdout) as { findings: Finding[] }).findings };
}

describe.each(LANGUAGES)('%s', (_language, command, suffix) => {
  test.skipIf(command === undefined)('every vector is checked, and each that must be refused is', async () => {
    const checkVectors = suffix === '.py' ? 'check_vectors.py' : 'check-vectors.mjs';
    await using running = new Running(command as string, [`${FOLDER}/${checkVectors}`], bareEnvironment());
    const { code, stdout, stderr } = await running.finished();
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout.match(/is refused: /g)).toHaveLength(refused);
  });
});

/** An agent of an example, once it speaks. */
async function startAgent(command: string, suffix: string, host: string): Promise<Running> {
  const agent = await start(command, [`${FOLDER}/agent${suffix}`], `agent-${host}`);
  await eventually(() => agent.stderr.includes(`speaking for ${host}`), { message: `${host} speaks` });
  return agent;
}

/** It answers one question, has one entry that no heartbeat tells of, and obeys whatever it is asked to start. */
async function startPoorAgent(host: string): Promise<Bus> {
  await runCli(['bus', 'keys', '--add', `agent-${host}`], bus.env);
  const credentialsFile = join(bus.keysDir, `agent-${host}.creds`);
  const poor = openBus({ servers: bus.url, credentialsFile, environment: 'development', role: 'agent', id: host });
  await poor.connected();
  poor.respond(commands.start, { host }, async ({ id }) => {
    const envelope = { id: uuidv7(), time: new Date().toISOString(), source: `agent/${host}` };
    return { ...envelope, commandId: id, accepted: true, code: 'ok' as const, reason: '' };
  });
  await poor
    .kv('status')
    .put(keys.instance(host, 'api', 0), instanceStatus({ host, service: 'api', source: `agent/${host}` }));
  return poor;
}

test('agents that were written from the documents pass the check, and are asked; one that does too little fails it', async () => {
  await using node = await startAgent(process.execPath, '.mjs', 'foreign-node');
  await using py = python === undefined ? undefined : await startAgent(python, '.py', 'foreign-python');
  await using _poor = await startPoorAgent('poor');
  const hosts = ['poor', 'foreign-node', ...(py === undefined ? [] : ['foreign-python'])];
  const [poor, ...good] = await Promise.all(hosts.map(checkAgent));
  for (const { code, findings } of good) {
    expect(findings.filter(({ level }) => level !== 'ok')).toEqual([]);
    expect(code).toBe(0);
  }
  expect(poor?.code).toBe(1);
  const wrong = poor?.findings.filter(({ level }) => level === 'problem').map(({ check }) => check);
  expect(wrong).toEqual(['presence', 'entries', 'keysDigest', 'status', 'why', 'outcome', 'acting', 'questions']);
  expect(node.stderr).toContain('not answered: muster.v1.development.command.foreign-node.status: not signed');
  // Each of them by the other language.
  await using asker = await start(process.execPath, [`${FOLDER}/ask.mjs`, hosts.at(-1) as string], 'operator-cli');
  expect((await asker.finished()).stdout).toBe('clock.0 running: started\n');
  if (python === undefined) return;
  await using pythonAsker = await start(python, [`${FOLDER}/ask.py`, 'foreign-node'], 'operator-cli');
  expect((await pythonAsker.finished()).stdout).toBe('clock.0 running: started\n');
});

test('a host of which nothing is heard is not there', async () => {
  const { code, stderr } = await runCli(['bus', 'check-agent', 'nobody', '--for', '1s'], bus.env);
  expect(code).toBe(5);
  expect(stderr).toContain("nothing is heard of host 'nobody'");
});
