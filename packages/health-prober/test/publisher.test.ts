/** How far a prober that is killed finds what it has said: in the stream behind its cursor, or in the bucket before it. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type AlertData, bucketName, keys, rows } from '@muster/contracts';
import { setupBus } from '@muster/contracts/admin';
import type { TestBus } from '@muster/contracts/testing';
import { eventually } from '@muster/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Publisher } from '../src/runtime/publisher.ts';
import { ENVIRONMENT, startTestBus } from './test-bus.ts';

const SINCE = '2026-03-01T12:00:00.000Z';

let bus: TestBus;
beforeEach(async () => {
  bus = await startTestBus();
});
afterEach(() => bus[Symbol.asyncDispose]());

function alert(service: string): AlertData {
  return {
    state: 'firing',
    severity: 'critical',
    host: 'web1',
    service,
    rule: 'unhealthy',
    fingerprint: `web1/${service}/unhealthy`,
    summary: `${service} is unhealthy`,
    reason: 'status: 503',
    startsAt: SINCE,
    instances: [0],
    causes: [],
    history: [],
    labels: {},
  };
}

test('the cursor of alerts passes none that is not in the bucket', async () => {
  const client = await bus.connect({ role: 'prober', id: 'main' });
  const admin = await bus.connect({ role: 'admin', id: 'setup' });
  const publisher = await Publisher.open({
    bus: client,
    prober: 'main',
    epoch: 1,
    directory: join(bus.stateDir, 'journal'),
    alerts: { since: SINCE },
    onProblem: () => undefined,
  });
  // Puts fail from now on, as they do when the process is killed before them.
  await admin.callJetStream(`STREAM.DELETE.KV_${bucketName(ENVIRONMENT, 'alerts')}`);
  publisher.alert(alert('api'));
  publisher.alert(alert('shop'));
  await publisher.flushed(AbortSignal.timeout(30_000));
  expect((await client.history(rows.alert, {})).map(({ seq }) => seq)).toEqual([1, 2]);
  expect(publisher.alerts).toEqual({ since: SINCE });

  await setupBus(admin);
  await eventually(() => publisher.alerts.seq === 2, { message: 'the cursor at the end' });
  for (const service of ['api', 'shop']) {
    expect(await client.kv('alerts').get(keys.alert('web1', service, 'unhealthy'))).toBeDefined();
  }
  await publisher.close();
});

test('an alert that had arrived when its prober was killed is not heard again', async () => {
  const client = await bus.connect({ role: 'prober', id: 'main' });
  const observer = await bus.connect({ role: 'dashboard', id: 'main' });
  const options = {
    bus: client,
    prober: 'main',
    epoch: 1,
    directory: join(bus.stateDir, 'journal'),
    alerts: { since: SINCE },
    onProblem: () => undefined,
  };
  const heard: string[] = [];
  observer.subscribe(rows.alert, {}, ({ id }) => heard.push(id));
  await observer.flush();
  const first = await Publisher.open(options);
  first.alert(alert('api'));
  await first.flushed(AbortSignal.timeout(30_000));
  await first.close();
  // As it is left by a kill before the word of its arrival is written down.
  const [file] = (await readdir(options.directory)).filter((name) => name.endsWith('.jsonl'));
  const journal = join(options.directory, file ?? '');
  const lines = (await readFile(journal, 'utf8'))
    .split('\n')
    .filter((line) => line !== '' && !line.includes('"stored"'));
  await writeFile(journal, `${lines.join('\n')}\n`);
  const second = await Publisher.open({ ...options, epoch: 2 });
  expect(second.backlog).toBe(1);
  await second.flushed(AbortSignal.timeout(30_000));
  await observer.flush();
  expect(heard).toHaveLength(1);
  expect(await client.history(rows.alert, {})).toHaveLength(1);
  await second.close();
});
