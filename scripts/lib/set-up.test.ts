import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { backoffMs } from './agent-parent.mjs';
import { findProgram } from './apt.mjs';
import { fingerprintSources } from './build.mjs';
import { hasInstalled } from './dependencies.mjs';
import { checkMachine, checkWritable } from './machine.mjs';
import { readOptions } from './options.mjs';
import { formatDuration, Progress } from './progress.mjs';
import { Refusal } from './refusal.mjs';
import { lastLine, run } from './run.mjs';
import { Stamp } from './stamp.mjs';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'muster-set-up-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe('the machine', () => {
  test.each(['20.19.0', '20.20.2', '22.0.0', '24.1.0'])('Node %s will do', (nodeVersion) => {
    expect(() => checkMachine({ platform: 'linux', nodeVersion })).not.toThrow();
  });

  test.each(['18.20.0', '20.18.3', '8.0.0'])('Node %s is refused in one line', (nodeVersion) => {
    expect(() => checkMachine({ platform: 'linux', nodeVersion })).toThrow(
      /^Node 20\.19 or newer is needed, this is .*$/,
    );
  });

  test.each(['darwin', 'win32'])('%s is refused in one line that names the ways out', (platform) => {
    expect(() => checkMachine({ platform, nodeVersion: '20.20.2' })).toThrow(/^.*Linux only.*WSL2.*Linux VM$/);
  });

  test('a folder that cannot be made is refused with the reason', () => {
    writeFileSync(join(dir, 'file'), '');
    expect(() => checkWritable(join(dir, 'file/state'))).toThrow(/^cannot write in .*file\/state: ENOTDIR: run as/);
    expect(() => checkWritable(join(dir, 'new/state'))).not.toThrow();
  });
});

describe('options', () => {
  test('flags win over the environment, the environment over the clone', () => {
    expect(readOptions([], {}, '/clone')).toMatchObject({ stateDir: '/clone/.muster', configDir: '/clone/config' });
    const env = { MUSTER_STATE_DIR: '/env/state', MUSTER_CONFIG_DIR: '/env/config' };
    expect(readOptions([], env, '/clone')).toMatchObject({ stateDir: '/env/state', configDir: '/env/config' });
    expect(readOptions(['--state', 'flag'], env, '/clone')).toMatchObject({
      stateDir: '/clone/flag',
      configDir: '/env/config',
    });
    expect(readOptions([], { MUSTER_STATE_DIR: '' }, '/clone')).toMatchObject({
      stateDir: '/clone/.muster',
      isStateDirGiven: false,
    });
  });

  test.each([[['--nonsense']], [['--state']], [['extra']]])('%j is wrong use', (argv) => {
    expect(() => readOptions(argv, {}, '/clone')).toThrow(/see `npm start -- --help`$/);
    expect(() => readOptions(argv, {}, '/clone')).toThrow(expect.objectContaining({ exitCode: 2 }));
  });
});

describe('what is up to date', () => {
  test('node_modules holds what the lock file asks for', () => {
    const lock = {
      packages: {
        '': { version: '1.0.0' },
        'packages/a': { version: '1.0.0' },
        'node_modules/@muster/a': { link: true },
        'node_modules/zod': { version: '4.0.0' },
        'node_modules/other-platform': { version: '1.0.0', optional: true },
      },
    };
    const installed = {
      packages: { 'node_modules/@muster/a': { link: true }, 'node_modules/zod': { version: '4.0.0' } },
    };
    expect(hasInstalled(lock, installed)).toBe(true);
    expect(hasInstalled(lock, { packages: { ...installed.packages, 'node_modules/zod': { version: '3.0.0' } } })).toBe(
      false,
    );
    expect(hasInstalled(lock, { packages: { 'node_modules/zod': { version: '4.0.0' } } })).toBe(false);
  });

  test('sources are told apart by path, size and time; tests and results do not count', () => {
    mkdirSync(join(dir, 'packages/a/src'), { recursive: true });
    mkdirSync(join(dir, 'packages/a/dist'));
    writeFileSync(join(dir, 'packages/a/src/main.ts'), 'one');
    const before = fingerprintSources(dir);
    writeFileSync(join(dir, 'packages/a/dist/main.js'), 'built');
    writeFileSync(join(dir, 'packages/a/src/main.test.ts'), 'test');
    expect(fingerprintSources(dir)).toBe(before);
    utimesSync(join(dir, 'packages/a/src/main.ts'), 1, 1);
    const touched = fingerprintSources(dir);
    expect(touched).not.toBe(before);
    writeFileSync(join(dir, 'packages/a/src/new.ts'), '');
    expect(fingerprintSources(dir)).not.toBe(touched);
  });

  test('a stamp remembers one fingerprint', () => {
    const stamp = new Stamp(join(dir, 'stamps/build'));
    expect(stamp.matches('a')).toBe(false);
    stamp.write('a');
    expect(stamp.matches('a')).toBe(true);
    expect(stamp.matches('b')).toBe(false);
  });
});

describe('running programs', () => {
  test('programs are looked for on PATH first, then in the system folders', () => {
    writeFileSync(join(dir, 'sh'), '');
    expect(findProgram('sh', { PATH: dir })).toBe(join(dir, 'sh'));
    expect(findProgram('env', { PATH: dir })).toBe('/usr/bin/env');
    expect(findProgram('no-such-program-here', { PATH: dir })).toBeUndefined();
  });

  test('collects both streams and the exit code', async () => {
    const { code, output } = await run('/bin/sh', ['-c', 'echo out; echo err >&2; exit 4']);
    expect(code).toBe(4);
    expect(output.split('\n').sort()).toEqual(['', 'err', 'out']);
  });

  test('a program that does not exist is code 127 with the reason', async () => {
    const { code, output } = await run('/no/such/program', []);
    expect(code).toBe(127);
    expect(lastLine(output)).toBe('spawn /no/such/program ENOENT');
  });

  test('an abort ends it', async () => {
    const controller = new AbortController();
    const result = run('sleep', ['600'], {}, controller.signal);
    controller.abort();
    expect((await result).code).not.toBe(0);
  });
});

test('the pause before a restart doubles up to five seconds', () => {
  expect([1, 2, 3, 4, 5, 6, 7, 100].map(backoffMs)).toEqual([200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
});

test.each([
  [40, '0.0 s'],
  [9_949, '9.9 s'],
  [9_960, '10 s'],
  [59_600, '1 min 0 s'],
  [185_000, '3 min 5 s'],
])('%d ms reads %s', (durationMs, expected) => {
  expect(formatDuration(durationMs)).toBe(expected);
});

describe('progress', () => {
  function record(isTTY: boolean, env: Record<string, string>): string {
    let text = '';
    const stream = Object.assign(Object.create(process.stdout) as NodeJS.WriteStream, {
      isTTY,
      write: (piece: string) => {
        text += piece;
        return true;
      },
    });
    const progress = new Progress(stream, env);
    progress.begin('build', 'compiling');
    progress.done('build', 'built in 2.0 s');
    return text;
  }

  test('a file gets plain lines', () => {
    expect(record(false, {})).toBe('  build          compiling …\n  build          built in 2.0 s\n');
  });

  test('a terminal gets one line per step; NO_COLOR leaves the colours out', () => {
    expect(record(true, { NO_COLOR: '1' })).toBe(
      '  build          compiling …\r\x1b[2K  build          built in 2.0 s\n',
    );
    expect(record(true, {})).toContain('\x1b[32m');
  });
});

test('a refusal is wrong use only when it says so', () => {
  expect(new Refusal('no').exitCode).toBe(1);
});
