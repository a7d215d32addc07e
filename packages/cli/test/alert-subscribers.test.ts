/* What listens to alerts in examples/, run as its README says, with an observer's credentials. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { AlertEvent, rows } from '@muster/contracts';
import { openBus } from '@muster/contracts/bus';
import { eventually, findPython, temporaryDirectory } from '@muster/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bareEnvironment, ROOT_DIR, Running } from './run-cli.ts';
import { alertEvent } from './samples.ts';
import { startTestBus, type TestBus } from './test-bus.ts';

const FOLDER = 'examples/alert-subscribers';
/** It would clear the screen and turn the line around. */
const HOSTILE = 'rag-api on web1 has \u001B[2J\u202E\u009Bfailed';
const SENTENCE = 'firing critical web1/rag-api failed: rag-api on web1 has \uFFFD[2J\uFFFD\uFFFDfailed';

let bus: TestBus;

beforeAll(async () => {
  bus = await startTestBus();
});

afterAll(() => bus[Symbol.asyncDispose]());

async function publishAlert(...alerts: readonly AlertEvent[]): Promise<void> {
  const credentialsFile = join(bus.keysDir, 'prober-main.creds');
  const identity = { role: 'prober', id: 'main' } as const;
  await using prober = openBus({ servers: bus.url, credentialsFile, environment: 'development', ...identity });
  await prober.connected();
  for (const alert of alerts) {
    const { severity, host, service, rule } = alert.data;
    prober.publish(rows.alert, { severity, host, service, rule }, alert);
  }
  await prober.flush();
}

function observerEnvironment(env: Readonly<Record<string, string>> = {}) {
  return bareEnvironment({
    ...bus.env,
    MUSTER_BUS_URL: bus.url,
    MUSTER_BUS_CREDENTIALS: join(bus.keysDir, 'observer-alerts.creds'),
    ...env,
  });
}

/** Starts a subscriber, publishes one alert as soon as it listens, and returns what it printed. */
async function hear(command: string, args: readonly string[]): Promise<string> {
  await using subscriber = new Running(command, args, observerEnvironment());
  await eventually(() => subscriber.stderr.includes('listening'), { message: `${command} listens` });
  await publishAlert(alertEvent({ summary: HOSTILE }));
  await eventually(() => subscriber.stdout.includes('\n'), { message: `${command} prints the alert` });
  return subscriber.stdout;
}

test('Node', async () => {
  expect(await hear(process.execPath, [`${FOLDER}/subscriber.mjs`])).toBe(`${SENTENCE}\n`);
});

test('Python', async (context) => {
  const python = findPython('cryptography');
  if (python === undefined) return context.skip('no python3 here imports cryptography');
  expect(await hear(python, [`${FOLDER}/subscriber.py`])).toBe(`${SENTENCE}\n`);
});

/** Debian's packages of Go libraries are sources below here. */
const DEBIAN_GOPATH = '/usr/share/gocode';

test('Go', async (ctx) => {
  if (spawnSync('go', ['version']).status !== 0) {
    ctx.skip('no go: apt-get install golang-go golang-github-nats-io-go-nats-dev');
    return;
  }
  const gopath = [process.env['GOPATH'] ?? '', DEBIAN_GOPATH].find((folder) =>
    existsSync(join(folder, 'src/github.com/nats-io/nats.go')),
  );
  const env = bareEnvironment(gopath === undefined ? { GOPROXY: 'off' } : { GO111MODULE: 'off', GOPATH: gopath });
  await using home = await temporaryDirectory();
  const program = join(home.path, 'subscriber');
  await using build = new Running('go', ['build', '-o', program, '.'], env, join(ROOT_DIR, FOLDER, 'go'));
  const { stderr } = await build.finished();
  if (/missing go\.sum entry|module lookup disabled|cannot find/.test(stderr)) {
    ctx.skip('no github.com/nats-io/nats.go for go: apt-get install golang-github-nats-io-go-nats-dev');
    return;
  }
  expect(stderr).toBe('');
  expect(await hear(program, [])).toBe(`${SENTENCE}\n`);
  // A first build compiles Go's own libraries, too.
}, 300_000);

test('shell', async () => {
  // With jq, which is optional, the script prints a sentence, else the JSON as it came.
  const heard = await hear('sh', [`${FOLDER}/subscriber.sh`]);
  const sentence = heard.startsWith('{') ? sentenceOf(AlertEvent.parse(JSON.parse(heard))) : heard.trimEnd();
  expect(heard.trimEnd()).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
  expect(sentence).toBe(heard.startsWith('{') ? SENTENCE_AS_SENT : SENTENCE);
});

const SENTENCE_AS_SENT = sentenceOf(alertEvent({ summary: HOSTILE }));

function sentenceOf({ data }: AlertEvent): string {
  return `${data.state} ${data.severity} ${data.host}/${data.service} ${data.rule}: ${data.summary}`;
}

/** A receiver that answers what it is told to, in turn, then 200. */
async function startReceiver(...answers: readonly number[]) {
  const posts: { readonly headers: IncomingHttpHeaders; readonly alert: AlertEvent; readonly answer: number }[] = [];
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const alert = AlertEvent.parse(JSON.parse(await text(request)));
    const answer = answers[posts.length] ?? 200;
    posts.push({ headers: request.headers, alert, answer });
    response.writeHead(answer).end();
  };
  const server = createServer((request, response) => void take(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/alerts`,
    posts,
    [Symbol.dispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

test('webhook: CloudEvents, again until they are taken, in order, each with its key', async () => {
  using receiver = await startReceiver(503, 429, 200, 400);
  const args = ['examples/alert-webhook/webhook.mjs', receiver.url];
  await using webhook = new Running(process.execPath, args, observerEnvironment({ MUSTER_WEBHOOK_RETRY_MS: '20' }));
  await eventually(() => webhook.stderr.includes('listening'), { message: 'the webhook listens' });
  const changes = (['firing', 'acknowledged', 'resolved'] as const).map((state) => alertEvent({ state }));
  await publishAlert(...changes);
  await eventually(() => receiver.posts.length === 5, { message: 'five posts' });
  expect(receiver.posts.map(({ alert, answer }) => [alert.data.state, answer])).toEqual([
    ['firing', 503],
    ['firing', 429],
    ['firing', 200],
    // Refused for what it is: not tried again.
    ['acknowledged', 400],
    ['resolved', 200],
  ]);
  for (const { headers, alert } of receiver.posts) {
    expect(headers['content-type']).toBe('application/cloudevents+json; charset=utf-8');
    expect(headers['idempotency-key']).toBe(alert.id);
  }
  expect(receiver.posts[0]?.alert).toEqual(changes[0]);
  for (const told of ['firing: the webhook answered 503\n', 'acknowledged: the webhook answered 400: given up\n']) {
    await eventually(() => webhook.stderr.includes(`web1/rag-api/failed ${told}`), { message: told });
  }
});
