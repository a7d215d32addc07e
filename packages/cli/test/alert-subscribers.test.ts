/* The subscribers of examples/alert-subscribers, run as their README says, with an observer's credentials. */
import { join } from 'node:path';
import { AlertEvent, rows } from '@muster/contracts';
import { openBus } from '@muster/contracts/bus';
import { eventually, findPython } from '@muster/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bareEnvironment, Running } from './run-cli.ts';
import { alertEvent } from './samples.ts';
import { startTestBus, type TestBus } from './test-bus.ts';

const FOLDER = 'examples/alert-subscribers';
const SENTENCE = 'firing critical web1/rag-api failed: rag-api on web1 has failed';

let bus: TestBus;

beforeAll(async () => {
  bus = await startTestBus();
});

afterAll(() => bus[Symbol.asyncDispose]());

async function publishAlert(): Promise<void> {
  const credentialsFile = join(bus.keysDir, 'prober-main.creds');
  const identity = { role: 'prober', id: 'main' } as const;
  await using prober = openBus({ servers: bus.url, credentialsFile, environment: 'development', ...identity });
  await prober.connected();
  const alert = alertEvent();
  const { severity, host, service, rule } = alert.data;
  prober.publish(rows.alert, { severity, host, service, rule }, alert);
  await prober.flush();
}

/** Starts a subscriber, publishes one alert as soon as it listens, and returns what it printed. */
async function hear(command: string, args: readonly string[]): Promise<string> {
  const env = bareEnvironment({
    ...bus.env,
    MUSTER_BUS_URL: bus.url,
    MUSTER_BUS_CREDENTIALS: join(bus.keysDir, 'observer-alerts.creds'),
  });
  await using subscriber = new Running(command, args, env);
  await eventually(() => subscriber.stderr.includes('listening'), { message: `${command} listens` });
  await publishAlert();
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

test('shell', async () => {
  // With jq, which is optional, the script prints a sentence, else the JSON as it came.
  const heard = await hear('sh', [`${FOLDER}/subscriber.sh`]);
  const sentence = heard.startsWith('{') ? sentenceOf(AlertEvent.parse(JSON.parse(heard))) : heard.trimEnd();
  expect(sentence).toBe(SENTENCE);
});

function sentenceOf({ data }: AlertEvent): string {
  return `${data.state} ${data.severity} ${data.host}/${data.service} ${data.rule}: ${data.summary}`;
}
