/* The built `muster` against a real nats-server with keys, and agents that exist on the bus only. */
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildSubject, chunkId, rows } from '@muster/contracts';
import { type Bus, openBus } from '@muster/contracts/bus';
import { eventually } from '@muster/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCli, startCli } from './run-cli.ts';
import { alertEvent, componentEvent, hostPresence, instanceEvent, verdict } from './samples.ts';
import { SimulatedAgent } from './simulated-agent.ts';
import { startTestBus, type TestBus } from './test-bus.ts';

let bus: TestBus;
let web1: SimulatedAgent;
let web2: SimulatedAgent;

const muster = (...args: string[]) => runCli(args, bus.env);

beforeAll(async () => {
  bus = await startTestBus();
  await runCli(['bus', 'keys', '--add', 'agent-web2'], bus.env);
  const start = (host: string, services: Parameters<typeof SimulatedAgent.start>[0]['services']) =>
    SimulatedAgent.start({ url: bus.url, credentialsFile: join(bus.keysDir, `agent-${host}.creds`), host, services });
  web1 = await start('web1', {
    'rag-api': 'runs',
    search: 'runs',
    bad: 'crashes',
    slow: 'hangs',
    busy: 'is-overtaken',
    'nats-server': 'runs',
  });
  web2 = await start('web2', { search: 'runs' });
});

afterAll(async () => {
  await web1[Symbol.asyncDispose]();
  await web2[Symbol.asyncDispose]();
  await bus[Symbol.asyncDispose]();
});

async function publishAsProber(publish: (prober: Bus) => void | Promise<void>): Promise<void> {
  const identity = { role: 'prober', id: 'main' } as const;
  const credentialsFile = join(bus.keysDir, 'prober-main.creds');
  await using prober = openBus({ servers: bus.url, credentialsFile, environment: 'development', ...identity });
  await prober.connected();
  await publish(prober);
  await prober.flush();
}

describe('bus', () => {
  test('keys: a second run keeps all, and no secret is printed', async () => {
    const { code, stdout, stderr } = await muster('bus', 'keys');
    expect(code).toBe(0);
    expect(stdout).toContain('kept');
    expect(stdout).not.toContain('created');
    expect(stdout + stderr).not.toMatch(/BEGIN|S[UAO][A-Z2-7]{50,}/u);
  });

  test('keys: only the owner may read them', async () => {
    const files = await readdir(bus.keysDir);
    expect(files).toEqual(expect.arrayContaining(['agent-web1.creds', 'operator-cli.creds', 'observer-alerts.creds']));
    for (const file of files) {
      const { mode } = await stat(join(bus.keysDir, file));
      expect({ file, others: mode & 0o077 }).toEqual({ file, others: 0 });
    }
  });

  test('keys --add: makes the file, and prints no secret', async () => {
    const { code, stdout } = await muster('bus', 'keys', '--add', 'agent-web3');
    expect(code).toBe(0);
    expect(stdout).toContain(join(bus.keysDir, 'agent-web3.creds'));
    expect(stdout).not.toContain('BEGIN');
    expect(await readFile(join(bus.keysDir, 'agent-web3.creds'), 'utf8')).toContain('BEGIN NATS USER JWT');
  });

  test('leaf: its credentials open no client’s door', async () => {
    const where = ['--listen', '127.0.0.1:4299', '--hub', '127.0.0.1:7499'];
    expect(await muster('bus', 'leaf', 'berlin', ...where)).toMatchObject({ code: 0 });
    const { code, stderr } = await muster('--creds', join(bus.keysDir, 'leaf-berlin.creds'), 'status');
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining('not of muster bus keys') });
  });

  test('setup --replicas: what one server can do, and nothing but 1, 3 or 5', async () => {
    expect((await muster('bus', 'setup', '--replicas', '1')).stdout).toContain('nothing to change');
    expect(await muster('bus', 'setup', '--replicas', '2')).toMatchObject({ code: 2 });
    const { code, stderr } = await muster('bus', 'setup', '--replicas', '3');
    expect(code).toBe(1);
    expect(stderr).toMatch(/cannot set up the stream .*: 3 copies need a cluster/u);
  });

  test('setup: a second run changes nothing', async () => {
    const { code, stdout } = await muster('bus', 'setup');
    expect(stdout).toContain('nothing to change');
    expect(code).toBe(0);
  });

  test('setup: the retention of agent.yaml is set in place; an error in it changes nothing and is shown', async () => {
    const file = join(bus.env['MUSTER_CONFIG_DIR'] ?? '', 'agent.yaml');
    const before = await readFile(file, 'utf8');
    try {
      await writeFile(file, `${before}  retention:\n    rollup_1m: { age: 7 days }\n`);
      const refused = await muster('bus', 'setup');
      expect(refused.code).toBe(2);
      expect(refused.stderr).toContain(`agent.yaml:4:23: 'bus.retention.rollup_1m.age' is "7 days"; write an age`);
      await writeFile(file, `${before}  retention:\n    rollup_1m: { age: 7d }\n`);
      expect((await muster('bus', 'setup')).stdout).toContain('updated MUSTER_DEVELOPMENT_ROLLUP_1M: max_age');
    } finally {
      await writeFile(file, before);
    }
    expect((await muster('bus', 'setup')).stdout).toContain('0 created, 1 updated');
  });
});

describe('history', () => {
  test('draws what the stream has, and says why its end may be missing', async () => {
    const credentialsFile = join(bus.keysDir, 'agent-web1.creds');
    const identity = { environment: 'development', role: 'agent', id: 'web1' } as const;
    await using agent = openBus({ servers: bus.url, credentialsFile, ...identity });
    await agent.connected();
    const firstBucketAt = new Date(Math.floor(Date.now() / 60_000 - 10) * 60_000).toISOString();
    const values = [0.1, null, 0.4];
    const chunk = {
      id: chunkId({ host: 'web1', service: 'rag-api', tier: '1m' }, firstBucketAt),
      time: new Date().toISOString(),
      source: 'agent/web1',
      epoch: 1,
      seq: 1,
      tier: '1m' as const,
      firstBucketAt,
      bucketSeconds: 60,
      series: [{ name: 'cpu', unit: 'ratio', count: [1, 0, 1], sum: values, min: values, max: values, last: values }],
    };
    const params = { host: 'web1', service: 'rag-api' };
    await agent.publishOrdered(rows.serviceRollup1m, params, chunk, { expectedLastSeq: 0 });

    const { code, stdout, stderr } = await muster('history', 'rag-api', '--since', '30m');
    expect(stdout).toMatch(/^web1\/rag-api since .*, 1 min a column$/mu);
    expect(stdout).toMatch(/^cpu +·+▃·█·+ +10\.0 % +25\.0 % +40\.0 %$/mu);
    expect(stderr).toContain("the newest minutes may be missing: no agent answers for host 'web1'");
    expect(code).toBe(0);
    expect((await muster('history', 'rag-api', '--series', 'nope')).code).toBe(5);
  });
});

describe('bus check', () => {
  test('all is well', async () => {
    const { code, stdout, stderr } = await muster('bus', 'check');
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^connection +ok +127\.0\.0\.1:\d+ as operator\/cli, round trip [\d.]+ ms$/mu);
    expect(stdout).toMatch(/^server +ok +nats-server 2\.\d+\.\d+, listens on 127\.0\.0\.1$/mu);
    expect(stdout).toMatch(/^credentials +ok /mu);
    expect(stdout).toMatch(/^streams +ok +all \d\d /mu);
    expect(stdout).toMatch(/^agents +ok +none is heard, so none says what waits there$/mu);
    expect(stdout).not.toMatch(/^(copies|readers) /mu);
    expect(stdout).toMatch(/^clock +ok +the server's clock is \d{1,3} ms /mu);
    expect(code).toBe(0);
  });

  test('an admin is told of a reader that is far behind, and of events that wait at an agent', async () => {
    await using busy = await startTestBus();
    const open = (role: 'admin' | 'agent', id: string) => {
      const credentialsFile = join(busy.keysDir, `${role}-${id}.creds`);
      return openBus({ servers: busy.url, credentialsFile, environment: 'development', role, id });
    };
    await using admin = open('admin', 'setup');
    await using agent = open('agent', 'web1');
    await Promise.all([admin.connected(), agent.connected()]);
    await admin.callJetStream('CONSUMER.DURABLE.CREATE.MUSTER_DEVELOPMENT_EVENTS.archive', {
      stream_name: 'MUSTER_DEVELOPMENT_EVENTS',
      config: { durable_name: 'archive', ack_policy: 'explicit', deliver_policy: 'all' },
    });
    const { host, service, instance } = instanceEvent();
    for (let event = 0; event < 1_001; event += 1) {
      agent.publish(rows.instanceEvent, { host, service, instance }, instanceEvent());
    }
    await agent.flush();
    // The server has them all; its stream takes them in behind that.
    await eventually(
      async () => {
        type Info = { state: { messages: number } };
        const { state } = await admin.callJetStream<Info>('STREAM.INFO.MUSTER_DEVELOPMENT_EVENTS');
        return state.messages >= 1_001;
      },
      { message: 'all events in the stream' },
    );
    await using checking = startCli(['bus', 'check', '--creds', join(busy.keysDir, 'admin-setup.creds')], busy.env);
    const heartbeat = setInterval(() => agent.publish(rows.hostPresence, { host }, hostPresence({ backlog: 7 })), 100);
    const { code, stdout } = await checking.finished().finally(() => clearInterval(heartbeat));
    expect(stdout).toMatch(
      /^readers +warning +archive is 1001 messages behind in MUSTER_DEVELOPMENT_EVENTS: run the check again: /mu,
    );
    expect(stdout).toMatch(/^agents +warning +events wait at 1 of the 1 that are heard: web1 has 7: run the check/mu);
    expect(code, 'warnings are no failure').toBe(0);
  });

  test('what these credentials may not ask is said, and is no problem', async () => {
    const creds = join(bus.keysDir, 'observer-alerts.creds');
    const { code, stdout } = await muster('bus', 'check', '--creds', creds, '--json');
    const { server, findings } = JSON.parse(stdout) as { server: object; findings: readonly Record<string, string>[] };
    expect(server).toMatchObject({ listensOn: '127.0.0.1', maxPayloadBytes: 532_480 });
    expect(findings).toContainEqual(expect.objectContaining({ check: 'credentials', level: 'ok' }));
    expect(findings).toContainEqual(expect.objectContaining({ check: 'jetstream', level: 'warning' }));
    expect(code).toBe(0);
  });

  test('a stream that was changed, one that is gone, and one of a newer version are found', async () => {
    await using broken = await startTestBus();
    const identity = { role: 'admin', id: 'setup' } as const;
    const credentialsFile = join(broken.keysDir, 'admin-setup.creds');
    await using admin = openBus({ servers: broken.url, credentialsFile, environment: 'development', ...identity });
    await admin.connected();
    const change = async (name: string, changes: object) => {
      const { config } = await admin.callJetStream<{ config: object }>(`STREAM.INFO.${name}`);
      await admin.callJetStream(`STREAM.UPDATE.${name}`, { ...config, ...changes });
    };
    await change('MUSTER_DEVELOPMENT_EVENTS', { max_age: 3_600_000_000_000 });
    await change('MUSTER_DEVELOPMENT_AUDIT', { description: 'Muster development: audit (layout 99)' });
    await admin.callJetStream('STREAM.DELETE.MUSTER_DEVELOPMENT_LOGS');
    const { code, stdout } = await runCli(['bus', 'check'], broken.env);
    expect(stdout).toMatch(
      /^stream +problem +MUSTER_DEVELOPMENT_EVENTS differs from its definition: max_age: run muster/mu,
    );
    expect(stdout).toMatch(/^stream +problem +MUSTER_DEVELOPMENT_AUDIT was set up by a newer version .*layout 99/mu);
    expect(stdout).toMatch(/^stream +problem +MUSTER_DEVELOPMENT_LOGS is missing: run muster bus setup$/mu);
    expect(code).toBe(1);
  });
});

describe('bus tail', () => {
  const ALERT = { severity: 'critical', host: 'web1', service: 'rag-api', rule: 'failed' };

  test('decodes what comes, and counts what cannot be read', async () => {
    await using tail = startCli(['bus', 'tail', 'alert.critical.>', '--count', '1'], bus.env);
    await eventually(() => tail.stderr.includes('listening'), { message: 'tail listens' });
    await publishAsProber(async (prober) => {
      const subject = buildSubject('development', rows.alert.template, ALERT);
      await prober.publishEncoded(subject, Buffer.from('{"no":"alert"}'), { expectedLastSeq: 0 });
      prober.publish(rows.alert, { ...ALERT, severity: 'info' }, alertEvent({ severity: 'info' }));
      prober.publish(rows.alert, ALERT, alertEvent());
    });
    const { code, stdout, stderr } = await tail.finished();
    expect(stdout).toMatch(
      /^2026-\S+ \S+Z {2}alert {2}critical\/web1\/rag-api\/failed {2}type=io\.muster\.alert\.firing subject=\S+ data=\{.*"summary":"rag-api on web1 has failed".*\}\n$/u,
    );
    expect(stderr).toContain('muster: not shown: 1 malformed, 0 too large, 0 for somebody else, 0 forged\n');
    expect(code).toBe(0);
  });

  test('shows a verdict that its prober has signed, and counts one of a version that signed none', async () => {
    await using tail = startCli(['bus', 'tail', 'health.>', '--count', '1'], bus.env);
    await eventually(() => tail.stderr.includes('listening'), { message: 'tail listens' });
    await publishAsProber((prober) => {
      const { host, service, instance } = verdict();
      const { isSigned: _isSigned, ...asBefore } = rows.health;
      prober.publish(asBefore, { host, service, instance }, { ...verdict(), reason: 'not signed' });
      prober.publish(rows.health, { host, service, instance }, { ...verdict(), reason: 'signed' });
    });
    const { stdout, stderr } = await tail.finished();
    expect(stdout).toContain('reason=signed');
    expect(stdout).not.toContain('not signed');
    expect(stderr).toContain('muster: not shown: 0 malformed, 0 too large, 0 for somebody else, 1 forged\n');
  });

  test('a row by its name, as JSON', async () => {
    await using tail = startCli(['bus', 'tail', 'alert', '--json', '--count', '1'], bus.env);
    await eventually(() => tail.stderr.includes('listening'), { message: 'tail listens' });
    const message = alertEvent();
    await publishAsProber((prober) => prober.publish(rows.alert, ALERT, message));
    const { code, stdout } = await tail.finished();
    expect(JSON.parse(stdout)).toEqual({ row: 'alert', params: ALERT, message });
    expect(code).toBe(0);
  });

  test('what these credentials may not hear is said', async () => {
    const { code, stderr } = await muster(
      'bus',
      'tail',
      'host.>',
      '--creds',
      join(bus.keysDir, 'observer-alerts.creds'),
    );
    expect(stderr).toContain('muster: not allowed: these credentials may not listen to ');
    expect(code).toBe(1);
  });
});

describe('status', () => {
  test('hosts and services', async () => {
    const { code, stdout } = await muster('status');
    expect(stdout).toMatch(/^web1 +● up +6 +now$/mu);
    expect(stdout).toMatch(/^web2 +search +● running +yes /mu);
    expect(code).toBe(0);
  });

  test('one service as JSON', async () => {
    const { code, stdout } = await muster('status', 'web1/rag-api', '--json');
    const { source, instances } = JSON.parse(stdout) as { source: string; instances: Record<string, unknown>[] };
    expect(source).toBe('bus');
    expect(instances).toHaveLength(1);
    expect(instances[0]).toMatchObject({ host: 'web1', service: 'rag-api', state: 'running' });
    expect(code).toBe(0);
  });

  test('a host that is not heard is unknown', async () => {
    await runCli(['bus', 'keys', '--add', 'agent-gone'], bus.env);
    const gone = await SimulatedAgent.start({
      url: bus.url,
      credentialsFile: join(bus.keysDir, 'agent-gone.creds'),
      host: 'gone',
      services: { lost: 'runs' },
    });
    await gone[Symbol.asyncDispose]();
    const { code, stdout } = await muster('status', 'lost');
    expect(stdout).toMatch(/^gone +\? unknown +1 +\d+s +its agent is not on the bus$/mu);
    expect(stdout).toMatch(/^gone +lost +\? unknown .* last known: running, /mu);
    expect(code).toBe(0);
    const start = await muster('start', 'lost');
    expect(start.stderr).toContain("cannot start 'gone/lost': its agent is not on the bus: nothing was sent");
    expect(start.code).toBe(1);
    const why = await muster('why', 'lost');
    expect(why.stdout).toMatch(/^gone\/lost\.0: \? unknown, last heard /u);
    expect(why.stdout).toContain('ready after 12 ms');
  });

  test('a host without services', async () => {
    await runCli(['bus', 'keys', '--add', 'agent-empty'], bus.env);
    const credentialsFile = join(bus.keysDir, 'agent-empty.creds');
    const empty = await SimulatedAgent.start({ url: bus.url, credentialsFile, host: 'empty', services: {} });
    const heard = await muster('status');
    expect(heard.stdout).toMatch(/^empty +● up +0 +now$/mu);
    await empty[Symbol.asyncDispose]();
    const silent = await muster('status');
    expect(silent.stdout).toMatch(/^empty +\? unknown +0 +\d+s +its agent is not on the bus$/mu);
    expect((await muster('status', 'rag-api')).stdout).not.toContain('empty');
  });

  test.each(['nope', 'web1/nope', 'nowhere/rag-api', 'web1/rag-api.7'])(
    '%s, which nobody has, is not found',
    async (name) => {
      const { code, stdout, stderr } = await muster('status', name);
      expect(stderr).toContain(`muster: no service '${name}' is known: `);
      expect(stdout).toBe('');
      expect(code).toBe(5);
    },
  );
});

describe('start, stop, restart', () => {
  test('restart waits for the successor', async () => {
    const { code, stdout, stderr } = await muster('restart', 'rag-api');
    expect(stdout).toMatch(/^web1\/rag-api: running \(pid 100\d\) after [0-9.]+ s\n$/u);
    // What it has seen on the way.
    expect(stderr).toMatch(/^(?:web1\/rag-api: \S+ (?:stopping|starting), asked to restart\n)*$/u);
    expect(code).toBe(0);
  });

  test('stop, then start, as JSON', async () => {
    const stop = await muster('stop', 'web2/search', '--json');
    expect(JSON.parse(stop.stdout)).toMatchObject({ outcome: 'done', status: { host: 'web2', state: 'stopped' } });
    expect(stop.code).toBe(0);
    const start = await muster('start', 'web2/search.0', '--json');
    expect(JSON.parse(start.stdout)).toMatchObject({ outcome: 'done', status: { state: 'running' } });
    expect(start.code).toBe(0);
  });

  test('a start that fails says why', async () => {
    const { code, stdout } = await muster('restart', 'bad');
    expect(stdout).toMatch(/^web1\/bad: failed after .*: exited with code 7, budget spent\n$/u);
    expect(code).toBe(1);
  });

  test('a start that does not finish in time is an unknown outcome', async () => {
    const { code, stdout } = await muster('restart', 'slow', '--timeout', '4s');
    expect(stdout).toMatch(/^web1\/slow: restart not finished after .*: last seen starting: asked to restart\n$/u);
    expect(code).toBe(4);
  });

  test('what its agent says counts, however the service looks', async () => {
    const { code, stdout } = await muster('restart', 'busy');
    expect(stdout).toMatch(/^web1\/busy: running after .*: overtaken: asked to stop meanwhile\n$/u);
    expect(code).toBe(1);
  });

  test('--no-wait returns when the agent has accepted', async () => {
    const { code, stdout } = await muster('restart', 'slow', '--no-wait');
    expect(stdout).toBe('web1/slow: accepted\n');
    expect(code).toBe(0);
  });

  test('a refusal is passed on', async () => {
    const { code, stderr } = await muster('stop', 'nats-server');
    expect(stderr).toBe(
      "muster: cannot stop 'web1/nats-server': refused by its agent: it is one of Muster's own services (system-service)\n",
    );
    expect(code).toBe(1);
  });

  test('a service of two hosts needs its host', async () => {
    const { code, stderr } = await muster('restart', 'search');
    expect(stderr).toBe("muster: 'search' runs on 2 hosts: say which one: web1/search, web2/search\n");
    expect(code).toBe(2);
  });
});

describe('what the credentials do not allow is refused at once', () => {
  test.each([
    ['observer-alerts', ['status']],
    ['observer-alerts', ['restart', 'rag-api']],
    ['observer-alerts', ['why', 'rag-api']],
    ['observer-alerts', ['alerts']],
    ['observer-alerts', ['events']],
    ['observer-alerts', ['events', '-f']],
    ['agent-web1', ['status']],
    ['agent-web1', ['alerts', '-f']],
    ['observer-alerts', ['bus', 'setup']],
  ])('%s: %j', async (identity, args) => {
    const { code, stdout, stderr } = await muster(...args, '--creds', join(bus.keysDir, `${identity}.creds`));
    expect(stderr).toMatch(/^muster: not allowed: these credentials may not .*: name others with --creds$/mu);
    expect(stdout).toBe('');
    expect(code).toBe(1);
  });
});

test('why prints the chain', async () => {
  await muster('restart', 'web1/search');
  const { code, stdout } = await muster('why', 'web1/search');
  expect(stdout).toMatch(/^web1\/search\.0: ● running/u);
  expect(stdout).toMatch(/running -> stopping\n {4}asked to restart/u);
  expect(stdout).toMatch(/starting -> running\n {4}ready\n.*\n {4}because of /u);
  expect(code).toBe(0);
});

describe('events', () => {
  test('the last ones', async () => {
    const { code, stdout } = await muster('events', '--last', '2', '--host', 'web1', '--json');
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(2);
    expect(JSON.parse(lines[1] ?? '')).toMatchObject({ host: 'web1', to: expect.any(String) });
    expect(code).toBe(0);
  });

  test("of probers too: of one host those about it, and none of a service's", async () => {
    const told = componentEvent();
    await publishAsProber(async (prober) => {
      const about = { ...told, id: 'told-of-web9', kind: 'host-forgotten' as const, reason: 'gone', host: 'web9' };
      const params = { prober: 'main' };
      const { seq } = await prober.publishOrdered(rows.proberEvent, params, told, { expectedLastSeq: 0 });
      await prober.publishOrdered(rows.proberEvent, params, about, { expectedLastSeq: seq });
    });
    const shown = async (...args: string[]) => (await muster('events', ...args)).stdout.trimEnd().split('\n');
    expect(await shown('--last', '2')).toEqual([
      expect.stringMatching(/Z {2}prober main {2}lease-won {2}judges from now on$/u),
      expect.stringMatching(/Z {2}prober main {2}host-forgotten {2}gone$/u),
    ]);
    const [ofWeb9, ...others] = await shown('--host', 'web9', '--json');
    expect(JSON.parse(ofWeb9 ?? '')).toMatchObject({ prober: 'main', kind: 'host-forgotten', host: 'web9' });
    expect(others).toEqual([]);
    expect(await shown('--host', 'web2', '--last', '1')).toEqual([expect.not.stringContaining('prober')]);
    expect((await shown('--service', 'search')).join()).not.toContain('prober');
  });

  test('-f tells of probers too', async () => {
    await using following = startCli(['events', '-f', '--last', '1'], bus.env);
    await eventually(() => following.stderr.includes('listening'));
    await publishAsProber((prober) => {
      prober.publish(rows.proberEvent, { prober: 'main' }, { ...componentEvent(), id: 'live', reason: 'heard live' });
    });
    await eventually(() => following.stdout.includes('prober main  lease-won  heard live'));
    following.signal('SIGINT');
    expect((await following.finished()).code).toBe(0);
  });

  test('-f goes on until Ctrl-C, which is no failure', async () => {
    await using following = startCli(['events', '-f', '--service', 'followed'], bus.env);
    await eventually(() => following.stderr.includes('listening'));
    await web1.move('followed', { state: 'running', reason: 'seen live' }, []);
    await eventually(() => following.stdout.includes('seen live'));
    following.signal('SIGINT');
    const { code, stdout } = await following.finished();
    expect(stdout.trimEnd().split('\n')).toHaveLength(1);
    expect(code).toBe(0);
  });
});

describe('alerts', () => {
  const publish = async (alert: ReturnType<typeof alertEvent>) => {
    const credentialsFile = join(bus.keysDir, 'prober-main.creds');
    await using prober = openBus({
      servers: bus.url,
      credentialsFile,
      environment: 'development',
      role: 'prober',
      id: 'main',
    });
    await prober.connected(AbortSignal.timeout(20_000));
    const { severity, host, service, rule } = alert.data;
    prober.publish(rows.alert, { severity, host, service, rule }, alert);
    await prober.kv('alerts').put(`${host}.${service}.${rule}`, alert);
    await prober.flush();
  };

  test('the current ones', async () => {
    await publish(alertEvent());
    await publish(alertEvent({ rule: 'over', state: 'resolved' }));
    const { code, stdout } = await muster('alerts');
    expect(stdout).toContain('critical  firing  web1/rag-api  failed');
    expect(stdout).not.toContain('over');
    expect(code).toBe(0);
    const json = await muster('alerts', '--json');
    expect(JSON.parse(json.stdout)).toMatchObject([{ specversion: '1.0', data: { rule: 'failed' } }]);
  });

  test('-f as observer: one CloudEvents document on a line; what fired while it was away comes first, and once', async () => {
    const creds = join(bus.keysDir, 'observer-alerts.creds');
    const anAlert = (rule: string) => ({ ...alertEvent({ rule, summary: 'two\nlines' }), id: `alert-${rule}` });
    const heard = async (rule: string): Promise<string[]> => {
      await using following = startCli(['alerts', '-f', '--json', '--creds', creds], bus.env);
      await eventually(() => following.stderr.includes('listening'));
      await publish(anAlert(rule));
      await eventually(() => following.stdout.includes(`"rule":"${rule}"`));
      following.signal('SIGTERM');
      expect((await following.finished()).code).toBe(0);
      const lines = following.stdout.trimEnd().split('\n');
      return lines.map((line) => (JSON.parse(line) as { data: { rule: string } }).data.rule);
    };
    await heard('live');
    await publish(anAlert('meanwhile'));
    expect(await heard('later')).toEqual(['meanwhile', 'later']);
  });

  test('a reader that has enough ends it quietly', async () => {
    await using following = startCli(['alerts', '-f'], bus.env);
    await eventually(() => following.stderr.includes('listening'));
    following.closeStdout();
    // The first line after the reader is gone meets a closed pipe.
    await publish(alertEvent({ rule: 'unread' }));
    const { code, stderr } = await following.finished();
    expect(stderr).toBe('muster: listening, Ctrl-C ends it\n');
    expect(code).toBe(0);
  });
});

test('credentials of another bus are refused, with the reason', async () => {
  await using other = await startTestBus();
  const { code, stderr } = await runCli(['status'], { ...bus.env, MUSTER_BUS_URL: other.url });
  expect(stderr).toMatch(/^muster: cannot reach the bus at nats:.*uthori[sz]ation/u);
  expect(code).toBe(3);
});
