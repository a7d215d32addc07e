import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { readBootId } from '@muster/contracts/process';
import { isAlive } from '@muster/testkit';
import { describe, expect, test } from 'vitest';
import { Home } from './fixtures/run-launcher.ts';

/** The launcher takes signals that follow each other within 0.3 s for one key press. */
const ANOTHER_PRESS_MS = 400;

describe('one orderly stop', () => {
  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s stops everything once and exits 0', async (signal) => {
    using home = await Home.make();
    const launcher = home.launch();
    await launcher.says('Muster runs: http://127.0.0.1:8003');
    const service = home.readPid('service.pid');
    process.kill(launcher.child.pid ?? 0, signal);
    expect(await launcher.exited).toBe(0);
    expect(launcher.output).toContain('sleeper, 0 left');
    expect(launcher.output).toContain('nothing is left running');
    expect(isAlive(service)).toBe(false);
    expect(existsSync(join(home.stateDir, 'launcher.json'))).toBe(false);
  });

  test('a Ctrl-C in the terminal does not reach the agent, and what npm passes on counts as the same press', async () => {
    using home = await Home.make();
    const launcher = home.launch();
    await launcher.says('Muster runs');
    process.kill(-(launcher.child.pid ?? 0), 'SIGINT');
    process.kill(launcher.child.pid ?? 0, 'SIGINT');
    expect(await launcher.exited).toBe(0);
    expect(launcher.output).not.toContain('Still stopping');
  });

  test('an agent that is killed while it stops is started again to finish the stop', async () => {
    using home = await Home.make();
    const launcher = home.launch({ FIXTURE_AGENT: 'dies-once' });
    await launcher.says('Muster runs');
    const service = home.readPid('service.pid');
    launcher.child.kill('SIGTERM');
    expect(await launcher.exited).toBe(0);
    expect(launcher.output).toContain('was ended by SIGKILL');
    expect(isAlive(service)).toBe(false);
  });

  test('a closed terminal cannot break the stop', async () => {
    using home = await Home.make();
    const launcher = home.launch();
    await launcher.says('Muster runs');
    const service = home.readPid('service.pid');
    launcher.child.stdout?.destroy();
    launcher.child.stderr?.destroy();
    launcher.child.kill('SIGHUP');
    await once(launcher.child, 'exit');
    expect(launcher.child.exitCode).toBe(0);
    expect(isAlive(service)).toBe(false);
  });
});

test('a second Ctrl-C says what is waited for, a third leaves it running and says so', async () => {
  using home = await Home.make();
  const launcher = home.launch({ FIXTURE_AGENT: 'hangs' });
  await launcher.says('Muster runs');
  const service = home.readPid('service.pid');
  home.readPid('agent.pid');
  launcher.child.kill('SIGINT');
  await launcher.says('sleeper, 0 left');
  await delay(ANOTHER_PRESS_MS);
  launcher.child.kill('SIGINT');
  await launcher.says('Still stopping: waiting for sleeper (stopping)');
  await delay(ANOTHER_PRESS_MS);
  launcher.child.kill('SIGINT');
  expect(await launcher.exited).toBe(1);
  expect(launcher.output).toContain('left running: sleeper (stopping)');
  expect(isAlive(service)).toBe(true);
});

test('an agent killed with -9 is started again; its services were never touched', async () => {
  using home = await Home.make();
  const launcher = home.launch();
  await launcher.says('Muster runs: ');
  const service = home.readPid('service.pid');
  process.kill(home.readPid('agent.pid'), 'SIGKILL');
  await launcher.says('Muster runs again: http://127.0.0.1:8003');
  expect(home.readPid('service.pid')).toBe(service);
  expect(isAlive(service)).toBe(true);
  launcher.child.kill('SIGINT');
  expect(await launcher.exited).toBe(0);
  expect(isAlive(service)).toBe(false);
});

test('a launcher killed with -9 leaves the services running, and the next one takes them over', async () => {
  using home = await Home.make();
  const first = home.launch();
  await first.says('Muster runs');
  const service = home.readPid('service.pid');
  first.child.kill('SIGKILL');
  await first.exited;
  const second = home.launch();
  await second.says('Muster runs');
  expect(home.readPid('service.pid')).toBe(service);
  expect(isAlive(service)).toBe(true);
  second.child.kill('SIGTERM');
  expect(await second.exited).toBe(0);
});

describe('refusals', () => {
  test("the agent's exit code 3 ends the launcher, with the agent's own words", async () => {
    using home = await Home.make();
    const launcher = home.launch({ FIXTURE_AGENT: 'refuses' });
    expect(await launcher.exited).toBe(1);
    expect(launcher.output).toContain('services.yaml:3:5: unknown key `comand`');
    expect(launcher.output).not.toContain('starting it again');
  });

  test('keys that cannot be made', async () => {
    using home = await Home.make();
    const launcher = home.launch({ FIXTURE_CLI: 'fails' });
    expect(await launcher.exited).toBe(1);
    expect(launcher.output).toMatch(/cannot make the keys of the bus.*code 1\ncannot write keys: disk full/);
  });

  test('a second launcher on the same state directory says where the first one is', async () => {
    using home = await Home.make();
    const first = home.launch();
    await first.says('Muster runs');
    const second = home.launch();
    expect(await second.exited).toBe(1);
    expect(second.output).toContain(`Muster already runs here: http://127.0.0.1:8003 (pid ${first.child.pid})`);
    first.child.kill('SIGINT');
    expect(await first.exited).toBe(0);
  });

  test('the lock of a launcher that is gone does not count, whoever has its pid now', async () => {
    using home = await Home.make();
    writeFileSync(
      join(home.stateDir, 'launcher.json'),
      JSON.stringify({ pid: process.pid, startTimeTicks: 1, bootId: readBootId() }),
    );
    const launcher = home.launch();
    await launcher.says('Muster runs');
    launcher.child.kill('SIGINT');
    expect(await launcher.exited).toBe(0);
  });
});

test("the agent gets its settings, and none of npm's variables", async () => {
  using home = await Home.make();
  const launcher = home.launch({ npm_config_foo: 'bar', MUSTER_NATS_SERVER: '/opt/nats-server' });
  await launcher.says('Muster runs');
  const env: unknown = JSON.parse(readFileSync(join(home.stateDir, 'agent-environment.json'), 'utf8'));
  expect(env).toMatchObject({
    MUSTER_STATE_DIR: home.stateDir,
    MUSTER_CONFIG_DIR: home.configDir,
    MUSTER_EMBEDDED: '1',
    MUSTER_NATS_SERVER: '/opt/nats-server',
  });
  expect(env).not.toHaveProperty('npm_config_foo');
  expect(readFileSync(join(home.stateDir, 'keys.txt'), 'utf8')).toBe('bus keys');
  launcher.child.kill('SIGINT');
  expect(await launcher.exited).toBe(0);
});

test('credentials for a bus that somebody else runs are left as they were brought', async () => {
  using home = await Home.make();
  const credentials = join(home.stateDir, 'keys/agent-web2.creds');
  mkdirSync(join(home.stateDir, 'keys'));
  writeFileSync(credentials, 'signed elsewhere');
  writeFileSync(
    join(home.configDir, 'agent.yaml'),
    `host: web2\nbus:\n  url: nats://bus.example:4222\n  creds: ${credentials}\n`,
  );
  const launcher = home.launch();
  await launcher.says('Muster runs');
  launcher.child.kill('SIGINT');
  expect(await launcher.exited).toBe(0);
  expect(readFileSync(credentials, 'utf8')).toBe('signed elsewhere');
  expect(existsSync(join(home.stateDir, 'keys.txt')), 'no keys were made').toBe(false);
});

test('the state directory that agent.yaml names is used, unless another one was given', async () => {
  using home = await Home.make();
  const file = join(home.configDir, 'agent.yaml');
  writeFileSync(file, `${readFileSync(file, 'utf8')}state_dir: ${join(home.dir, 'named')}\n`);
  const launcher = home.launch({}, { withState: false });
  await launcher.says('Muster runs');
  expect(existsSync(join(home.dir, 'named/launcher.json'))).toBe(true);
  launcher.child.kill('SIGINT');
  expect(await launcher.exited).toBe(0);
});
