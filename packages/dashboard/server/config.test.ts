import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ConfigError, dashboardJsonSchema, readConfig } from './config.ts';
import { readUsers } from './users.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'muster-dashboard-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

function read(yaml?: string, env: Record<string, string> = {}) {
  if (yaml !== undefined) writeFileSync(join(dir, 'dashboard.yaml'), yaml);
  return readConfig({ MUSTER_CONFIG_DIR: dir, MUSTER_STATE_DIR: dir, ...env }, 1_000);
}

function problemsOf(yaml: string, env: Record<string, string> = {}): readonly string[] {
  try {
    read(yaml, env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

test.each([
  ['no file', undefined],
  ['an empty file', ''],
  ['only comments', '# listen: 1.2.3.4:80\n'],
])('%s means the defaults', (_name, yaml) => {
  expect(read(yaml)).toEqual({
    listen: { host: '127.0.0.1', port: 8003 },
    id: 'main',
    environment: 'development',
    bus: { servers: ['nats://127.0.0.1:4222'], credentialsFile: join(dir, 'keys', 'dashboard-main.creds') },
    stateDir: dir,
    owners: [0, 1_000],
  });
});

test('the JSON Schema of dashboard.yaml is up to date (else: npm run schemas -w packages/dashboard)', () => {
  const file = new URL('../../../config/schema/dashboard.schema.json', import.meta.url);
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(JSON.parse(JSON.stringify(dashboardJsonSchema())));
});

test('variables win over the file', () => {
  const yaml = 'id: file\nenvironment: staging\nbus: { url: "nats://a:1" }\n';
  expect(read(yaml)).toMatchObject({ id: 'file', environment: 'staging', bus: { servers: ['nats://a:1'] } });
  const env = {
    MUSTER_DASHBOARD_ID: 'other',
    MUSTER_ENVIRONMENT: 'production',
    MUSTER_BUS_URL: 'nats://b:1, nats://c:2',
  };
  expect(read(yaml, env)).toMatchObject({
    id: 'other',
    environment: 'production',
    bus: { servers: ['nats://b:1', 'nats://c:2'] },
  });
});

test.each([
  ['127.0.0.1:9000', { host: '127.0.0.1', port: 9000 }],
  ['localhost:9000', { host: 'localhost', port: 9000 }],
  ['"[::1]:9000"', { host: '::1', port: 9000 }],
  ['9000', { host: '127.0.0.1', port: 9000 }],
])('listen: %s', (text, listen) => {
  expect(read(`listen: ${text}\n`).listen).toEqual(listen);
});

test.each([
  ['listen: 0.0.0.0:8003', /:1:9: .*write a loopback address.*sign-in/],
  ['listen: ":8003"', /loopback/],
  ['listen: 10.0.0.7:8003', /loopback/],
  ['listen: 127.evil.example:8003', /loopback/],
  ['listen: 127.0.0.1:99999', /write address:port/],
  ['listen: [1]', /write address:port/],
  ['listne: 127.0.0.1:1', /:1:1: .*unknown key "listne".*did you mean 'listen'/],
  ['id: Not An Id', /:1:5: /],
  ['bus: { url: "nats://user:secret@bus" }', /:1:13: (?!.*secret).*without user and password/],
  ['listen: "127.0.0.1:1', /dashboard\.yaml:1/],
])('%s is refused in one line that says what would do', (yaml, expected) => {
  const problems = problemsOf(yaml);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatch(expected);
});

test('a variable that is no id is refused by name', () => {
  expect(problemsOf('', { MUSTER_DASHBOARD_ID: 'A b' })[0]).toMatch(/^MUSTER_DASHBOARD_ID is 'A b'/);
});

test('an address with a password is refused, and not quoted', () => {
  expect(() => read('', { MUSTER_BUS_URL: 'nats://user:secret@bus' })).toThrow(
    /^MUSTER_BUS_URL is no address of a bus; write nats:\/\/host:port or tls:\/\/host:port, without user and password/,
  );
});

describe('owners', () => {
  const users = readUsers();
  test.each([
    ['who runs it, and root', undefined, {}, [0, 1_000]],
    ['who used sudo', undefined, { SUDO_UID: '1001' }, [0, 1_000, 1_001]],
    ['no account, when SUDO_UID is none', undefined, { SUDO_UID: '-1' }, [0, 1_000]],
    [
      'whom the agent names, and not who runs it',
      undefined,
      { MUSTER_OWNERS: '0, 1002', SUDO_UID: '1001' },
      [0, 1_002],
    ],
    ['whom the file names as well, by name or uid', 'owners: [root, 1003, "1004"]', {}, [0, 1_000, 1_003, 1_004]],
    ['both, each once', 'owners: [1002, 1003]', { MUSTER_OWNERS: '0,1002' }, [0, 1_002, 1_003]],
  ])('are %s', (_name, yaml, env, owners) => {
    expect(read(yaml, env).owners).toEqual(owners);
  });

  test('root has the number that everybody knows', () => {
    expect([users.uidOf('root'), users.named(0)]).toEqual([0, 'root (uid 0)']);
    expect([users.uidOf('no such user'), users.named(4_000_000_001)]).toEqual([undefined, 'uid 4000000001']);
  });

  test.each([
    ['owners: kim', /:1:9: .*write a list of user names or uids/],
    ['owners: [no-such-user-here]', /:1:10: .*no such user in \/etc\/passwd/],
    ['owners: [-1]', /:1:10: .*0 to 4294967294/],
    ['owners: [4294967295]', /0 to 4294967294/],
    ['owners: ["4294967295"]', /no such user/],
    ['owners: [1.5]', /uids/],
    [`owners: [${Array.from({ length: 101 }, (_, uid) => uid).join(',')}]`, /at most 100/],
  ])('%s is refused, with its place', (yaml, expected) => {
    expect(problemsOf(yaml)).toEqual([expect.stringMatching(expected)]);
  });

  test.each(['root', '0,', '0;1', '-1', '4294967295', '0x10'])('MUSTER_OWNERS=%s is refused by name', (value) => {
    expect(problemsOf('', { MUSTER_OWNERS: value })).toEqual([expect.stringMatching(/^MUSTER_OWNERS is '/)]);
  });
});
