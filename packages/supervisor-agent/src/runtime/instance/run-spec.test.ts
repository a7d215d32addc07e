import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ServiceSpec } from '@muster/contracts/config';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { specOf } from '../../../test/support/memory-host.ts';
import { runSpecOf } from './run-spec.ts';

let rootDir: string;
beforeEach(() => {
  rootDir = mkdtempSync(path.join(tmpdir(), 'muster-run-spec-'));
});
afterEach(() => rmSync(rootDir, { recursive: true }));

const key = { agentId: 'a1', service: 'api', instance: 0 };

function resolved(overrides: Partial<ServiceSpec>, env: Record<string, string | undefined> = {}) {
  return runSpecOf(specOf('api', overrides), key, 3, { rootDir, logDir: '/state/logs', env });
}

test('of the caller only what every program needs gets in', () => {
  const env = {
    PATH: '/usr/bin',
    HOME: '/root',
    USER: 'root',
    LOGNAME: 'root',
    SHELL: '/bin/sh',
    LANG: 'C.UTF-8',
    LC_ALL: 'C',
    TZ: 'UTC',
    TMPDIR: '/tmp',
    XDG_RUNTIME_DIR: '/run/user/0',
  };
  const others = {
    AWS_SECRET_ACCESS_KEY: 'hunter2',
    MUSTER_STATE_DIR: '/state',
    NODE_OPTIONS: '--inspect',
    LD_PRELOAD: '/evil.so',
    PATHS: 'x',
    MY_PATH: 'x',
    path: 'x',
    LANG_: 'x',
    UNSET: undefined,
  };
  expect(resolved({}, { ...env, ...others }).environment).toEqual(env);
});

test('as another user it has that user, and nothing of the caller that is his alone', () => {
  const env = {
    PATH: '/usr/bin',
    HOME: '/root',
    USER: 'root',
    SHELL: '/bin/sh',
    TMPDIR: '/root/tmp',
    TZ: 'UTC',
    XDG_RUNTIME_DIR: '/run/user/0',
  };
  const account = { name: 'muster-bus', uid: 999, gid: 998, home: '/nonexistent' };
  const spec = runSpecOf(specOf('api', {}), key, 3, { rootDir, logDir: '/state/logs', env }, account);
  expect(spec.user).toEqual({ uid: 999, gid: 998 });
  expect(spec.environment).toEqual({
    PATH: '/usr/bin',
    TZ: 'UTC',
    HOME: '/nonexistent',
    USER: 'muster-bus',
    LOGNAME: 'muster-bus',
  });
  expect(resolved({}, env)).not.toHaveProperty('user');
});

test('environment wins over env_file, a later file over an earlier one, and all over the caller', () => {
  writeFileSync(path.join(rootDir, 'a.env'), 'FROM=a\nONLY_A=1\nQUOTED="two words"\nTZ=Europe/Paris\n');
  writeFileSync(path.join(rootDir, 'b.env'), 'FROM=b\nNAME=b\n');
  const { environment } = resolved({ envFiles: ['a.env', 'b.env'], environment: { NAME: 'spec' } }, { TZ: 'UTC' });
  expect(environment).toEqual({ TZ: 'Europe/Paris', FROM: 'b', ONLY_A: '1', QUOTED: 'two words', NAME: 'spec' });
});

test('an env_file is read again at each start', () => {
  const file = path.join(rootDir, 'a.env');
  writeFileSync(file, 'LEVEL=1');
  expect(resolved({ envFiles: ['a.env'] }).environment).toEqual({ LEVEL: '1' });
  writeFileSync(file, 'LEVEL=2');
  expect(resolved({ envFiles: ['a.env'] }).environment).toEqual({ LEVEL: '2' });
});

test('an env_file that cannot be read is named, with its service and the reason', () => {
  expect(() => resolved({ envFiles: ['gone.env'] })).toThrow(
    `cannot read env_file '${path.join(rootDir, 'gone.env')}' of service 'api': ENOENT`,
  );
});

test('relative paths start at the root, absolute ones stay', () => {
  expect(resolved({}).cwd).toBe(rootDir);
  expect(resolved({ workingDirectory: 'app' }).cwd).toBe(path.join(rootDir, 'app'));
  expect(resolved({ workingDirectory: '/srv/app' }).cwd).toBe('/srv/app');
});

test('the run has its number, its log files and the port that must be free again', () => {
  expect(resolved({ port: 8001 })).toMatchObject({
    ...key,
    generation: 3,
    command: ['true'],
    port: 8001,
    logFiles: { stdout: '/state/logs/api.0.stdout.log', stderr: '/state/logs/api.0.stderr.log' },
  });
  expect(resolved({})).not.toHaveProperty('port');
});
