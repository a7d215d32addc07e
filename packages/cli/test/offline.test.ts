/* What `muster` does without a bus: wrong use, validate, the status file, and a bus that is not there. */
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { freePort, type TemporaryDirectory, temporaryDirectory } from '@muster/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bareEnvironment, Running, runCli } from './run-cli.ts';
import { instanceEvent, instanceStatus } from './samples.ts';

let home: TemporaryDirectory;
let env: Record<string, string>;
let url: string;

beforeAll(async () => {
  home = await temporaryDirectory();
  url = `nats://127.0.0.1:${await freePort()}`;
  env = {
    MUSTER_STATE_DIR: join(home.path, 'state'),
    MUSTER_CONFIG_DIR: join(home.path, 'config'),
    MUSTER_BUS_URL: url,
    MUSTER_HOST: 'web1',
  };
  await mkdir(join(home.path, 'config'), { recursive: true });
  await mkdir(join(home.path, 'state'), { recursive: true });
});

afterAll(() => home[Symbol.asyncDispose]());

describe('use', () => {
  test.each([
    [['--help'], 'Usage: muster'],
    [['status', '--help'], 'muster status rag-api'],
    [['start', '--help'], 'muster start rag-api'],
    [['stop', '--help'], 'muster stop rag-api'],
    [['restart', '--help'], 'muster restart rag-api'],
    [['why', '--help'], 'muster why rag-api'],
    [['alerts', '--help'], 'muster alerts -f'],
    [['events', '--help'], 'muster events --last 20'],
    [['validate', '--help'], 'muster validate'],
    [['host', '--help'], 'muster host add web2'],
    [['host', 'add', '--help'], 'muster host add web2'],
    [['join', '--help'], 'muster join <'],
    [['bus', '--help'], 'muster bus keys'],
    [['bus', 'setup', '--help'], 'muster bus setup'],
    [['bus', 'rotate', '--help'], 'muster bus rotate account --finish'],
    [['bus', 'keys', '--help'], 'muster bus keys'],
    [['bus', 'check', '--help'], 'muster bus check'],
    [['bus', 'tail', '--help'], 'muster bus tail hostPresence --count 3'],
    [['--version'], '0.1.0'],
  ])('%j', async (args, expected) => {
    const { code, stdout, stderr } = await runCli(args, env);
    expect(stdout).toContain(expected);
    expect(stderr).toBe('');
    expect(code).toBe(0);
  });

  test.each([
    [['nonsense'], "error: unknown command 'nonsense'"],
    [['status', '--nonsense'], "error: unknown option '--nonsense'"],
    [['restart'], "error: missing required argument 'service'"],
    [['restart', 'a', '--timeout', 'soon'], 'Write a time such as 500ms, 30s or 2m.'],
    [['events', '--last', '0'], 'Write a whole number from 1 to 10000.'],
    [['bus', 'rotate', 'agent-'], 'Write account, root, ca, operator, or an identity such as agent-web2.'],
    [['restart', 'a/b/c'], "muster: 'a/b/c' is not a service: write service, host/service or host/service.0"],
    [['bus', 'tail', 'nonsense.>'], "muster: no message of Muster has a subject like 'nonsense.>'"],
    [['status', '--env', 'Not An Env'], "muster: 'Not An Env' is not an environment"],
    [
      ['status', '--creds', '/nowhere/x.creds'],
      "muster: cannot read credentials '/nowhere/x.creds': there is no such file",
    ],
  ])('%j is wrong use', async (args, expected) => {
    const { code, stdout, stderr } = await runCli(args, { ...env, MUSTER_BUS_URL: url });
    expect(stderr).toContain(expected);
    expect(stdout).toBe('');
    expect(code).toBe(2);
  });
});

test('output that cannot be written is told in a sentence', async () => {
  await using running = new Running('sh', ['-c', 'exec npx muster --help > /dev/full'], bareEnvironment(env));
  const { code, stderr } = await running.finished();
  expect(stderr).toMatch(/^muster: cannot write the output: ENOSPC: .+ make room; .+\n$/u);
  expect(code).toBe(1);
});

describe('validate', () => {
  const write = async (name: string, text: string) => {
    const file = join(home.path, name);
    await writeFile(file, text);
    return file;
  };

  test('a good file', async () => {
    const file = await write('good.yaml', 'services:\n  - name: a\n    command: sleep 1\n');
    const { code, stdout } = await runCli(['validate', file], env);
    expect(stdout).toBe(`${file}: 1 service, valid\n`);
    expect(code).toBe(0);
  });

  test('all errors of a bad one, each with its place, line and caret', async () => {
    const file = await write('bad.yaml', 'services:\n  - name: a\n    port: 0\n    commnad: sleep 1\n');
    const { code, stdout } = await runCli(['validate', file], env);
    expect(stdout).toContain(`error: ${file}:3:11: `);
    expect(stdout).toContain('  3 |     port: 0\n                ^\n');
    expect(stdout).toContain(`error: ${file}:4:5: `);
    expect(code).toBe(1);
    const json = await runCli(['validate', file, '--json'], env);
    const { valid, errors } = JSON.parse(json.stdout) as { valid: boolean; errors: { line: number; column: number }[] };
    expect(valid).toBe(false);
    expect(errors.map(({ line, column }) => [line, column])).toContainEqual([3, 11]);
    expect(json.code).toBe(1);
  });

  test('the file of the configuration folder is the default; a missing one is named', async () => {
    const { code, stderr } = await runCli(['validate'], env);
    expect(stderr).toContain("services.yaml': there is no such file: name the file, as in: muster validate FILE");
    expect(code).toBe(2);
  });
});

describe('a bus that is not there', () => {
  test.each([['status'], ['why', 'rag-api'], ['restart', 'rag-api'], ['alerts'], ['events', '-f']])(
    '%s: why, and what to do',
    async (...args) => {
      const { code, stdout, stderr } = await runCli(args, { ...env, MUSTER_STATE_DIR: join(home.path, 'empty') });
      expect(stderr).toBe(
        `muster: cannot reach the bus at ${url}: connection refused; is Muster running? start it with npm start\n`,
      );
      expect(stdout).toBe('');
      expect(code).toBe(3);
    },
  );

  test('without credentials for the bus of another machine, nobody is told to make keys of a bus of their own', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const MUSTER_STATE_DIR = join(home.path, 'empty');
    const { code, stderr } = await runCli(['status', '--url', `nats://127.0.0.1:${port}`], {
      ...env,
      MUSTER_STATE_DIR,
    });
    server.close();
    expect(stderr).toContain("there are no credentials in '");
    expect(stderr).toContain('copy operator-cli.creds, operator-cli.crt, operator-cli.key and ca.crt from there');
    expect(stderr).not.toContain('bus keys');
    expect(code).toBe(3);
  });

  test('bus setup waits for it as long as it is told to', async () => {
    expect((await runCli(['bus', 'keys'], env)).code).toBe(0);
    const { code, stderr } = await runCli(['bus', 'setup', '--wait', '300ms'], env);
    expect(stderr).toContain(`cannot reach the bus at ${url}: no connection within 0.3 s`);
    expect(code).toBe(3);
  });

  describe("this host's own file answers", () => {
    const writeStatusFile = (writtenAt: Date) =>
      writeFile(
        join(home.path, 'state/status.json'),
        JSON.stringify({
          writtenAt: writtenAt.toISOString(),
          host: 'web1',
          agentId: 'a1',
          bus: { connected: false },
          instances: [
            instanceStatus({ pid: 4711 }),
            instanceStatus({ service: 'search', state: 'stopped', desired: 'down' }),
          ],
          recentEvents: [instanceEvent({ id: 'e1' }), instanceEvent({ id: 'e2', service: 'search' })],
        }),
      );

    test('status', async () => {
      await writeStatusFile(new Date());
      const { code, stdout, stderr } = await runCli(['status'], env);
      expect(stderr).toMatch(/^muster: the bus is away; this host's own file says, as of [0-9.]+ s ago:\n/u);
      expect(stdout).toMatch(/^web1 +rag-api +● running +yes .* 4711 +started$/mu);
      expect(code).toBe(0);
    });

    test('status of one service, as JSON', async () => {
      await writeStatusFile(new Date());
      const { code, stdout } = await runCli(['status', 'web1/search', '--json'], env);
      expect(JSON.parse(stdout)).toMatchObject({
        source: 'file',
        instances: [{ service: 'search', state: 'stopped' }],
      });
      expect(code).toBe(0);
    });

    test('why', async () => {
      await writeStatusFile(new Date());
      const { code, stdout } = await runCli(['why', 'rag-api'], env);
      expect(stdout).toMatch(/^web1\/rag-api\.0: ● running, .* pid 4711/u);
      expect(stdout).toContain('run 1, id e1');
      expect(stdout).not.toContain('e2');
      expect(code).toBe(0);
    });

    test('a file that its agent no longer writes says nothing about now', async () => {
      await writeStatusFile(new Date(Date.now() - 3_600_000));
      const { stdout } = await runCli(['status'], env);
      expect(stdout).toContain('its agent has not written its status file for 1 h');
      expect(stdout).toMatch(/^web1 +rag-api +\? unknown .* last known: running, started$/mu);
    });

    test('what is not in it is not found', async () => {
      await writeStatusFile(new Date());
      const { code, stderr } = await runCli(['why', 'nope'], env);
      expect(stderr).toContain("no service 'nope' is known: known are web1/rag-api, web1/search");
      expect(code).toBe(5);
    });

    test('one that cannot be read counts as none', async () => {
      await writeFile(join(home.path, 'state/status.json'), '{"writtenAt"');
      expect((await runCli(['status'], env)).code).toBe(3);
    });
  });
});
