/** What root lays out for users of their own, on a real disk, with real owners. */
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { isRoot, NOBODY, type TemporaryDirectory, temporaryDirectory } from '@muster/testkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { copyFile, copyFolder, linkProgram } from '../../src/confine/copy.ts';
import { handOver } from '../../src/confine/hand-over.ts';
import { layOutServer } from '../../src/confine/program-folder.ts';
import { isRunnableBy } from '../../src/confine/reachable.ts';

const OTHER = { uid: NOBODY, gid: NOBODY };
let home: TemporaryDirectory;
beforeEach(async () => {
  home = await temporaryDirectory();
});
afterEach(() => home[Symbol.asyncDispose]());
const at = (...names: string[]) => join(home.path, ...names);

describe.skipIf(!isRoot)('as root', () => {
  test('a tree is handed over, and nothing that links in it lead to', () => {
    mkdirSync(at('store/streams'), { recursive: true });
    writeFileSync(at('store/streams/1.blk'), 'data');
    writeFileSync(at('secret'), 'root only');
    mkdirSync(at('elsewhere'));
    symlinkSync(at('secret'), at('store/link'));
    symlinkSync(at('elsewhere'), at('store/folder'));
    linkSync(at('secret'), at('store/second-name'));
    handOver(at('store'), OTHER);
    for (const mine of ['store', 'store/streams', 'store/streams/1.blk']) expect(statSync(at(mine)).uid).toBe(65_534);
    expect(lstatSync(at('store/link')).uid).toBe(65_534);
    for (const other of ['secret', 'elsewhere', 'store/second-name']) expect(statSync(at(other)).uid, other).toBe(0);
  });

  test('a link in the place of the tree is refused', () => {
    mkdirSync(at('elsewhere'));
    symlinkSync(at('elsewhere'), at('store'));
    expect(() => handOver(at('store'), OTHER)).toThrow(/ELOOP|ENOTDIR/);
    expect(statSync(at('elsewhere')).uid).toBe(0);
  });

  test('the store of a server goes to whoever runs it, and back', () => {
    mkdirSync(at('nats/jetstream'), { recursive: true });
    writeFileSync(at('nats/jetstream/1.blk'), 'data');
    writeFileSync(at('nats/embedded.conf'), '', { mode: 0o600 });
    for (const user of [OTHER, { uid: 0, gid: 0 }, OTHER]) {
      layOutServer(home.path, user, undefined);
      expect(statSync(at('nats/jetstream/1.blk'))).toMatchObject(user);
      expect(statSync(at('nats/nats.pid'))).toMatchObject(user);
      expect(statSync(at('nats/embedded.conf'))).toMatchObject({ uid: 0, gid: user.gid });
    }
  });

  test('who may run a program, by all that is on the way to it', () => {
    chmodSync(home.path, 0o755);
    mkdirSync(at('bin'));
    writeFileSync(at('bin/program'), '', { mode: 0o755 });
    symlinkSync(at('bin/program'), at('link'));
    expect(isRunnableBy(at('link'), OTHER)).toBe(true);
    chmodSync(at('bin'), 0o700);
    expect(isRunnableBy(at('link'), OTHER), 'a closed folder').toBe(false);
    expect(isRunnableBy(at('link'), { uid: 0, gid: 0 })).toBe(true);
    chmodSync(at('bin'), 0o710);
    chownSync(at('bin'), 0, OTHER.gid);
    expect(isRunnableBy(at('link'), OTHER), 'open to its group').toBe(true);
    chmodSync(at('bin/program'), 0o711);
    expect(isRunnableBy(at('link'), OTHER), 'a program that only root can read').toBe(false);
    expect(isRunnableBy(at('gone'), OTHER)).toBe(false);
  });
});

test('a folder is copied once, for everybody to read, without what is for debuggers, and again when it changed', () => {
  mkdirSync(at('bundle/assets'), { recursive: true, mode: 0o700 });
  writeFileSync(at('bundle/main.cjs'), 'one', { mode: 0o600 });
  writeFileSync(at('bundle/main.cjs.map'), '{}');
  writeFileSync(at('bundle/assets/page.js'), 'page');
  copyFolder(at('bundle'), at('copy'));
  expect(new Set(readdirSync(at('copy'), { recursive: true, encoding: 'utf8' }))).toEqual(
    new Set(['assets', 'assets/page.js', 'main.cjs']),
  );
  expect(statSync(at('copy/assets')).mode & 0o777).toBe(0o755);
  expect(statSync(at('copy/main.cjs')).mode & 0o777).toBe(0o644);
  const { ino } = statSync(at('copy/main.cjs'));
  copyFolder(at('bundle'), at('copy'));
  expect(statSync(at('copy/main.cjs')).ino, 'left as it is').toBe(ino);

  writeFileSync(at('bundle/main.cjs'), 'two');
  utimesSync(at('bundle/main.cjs'), 1_000, 1_000);
  copyFolder(at('bundle'), at('copy'));
  expect(readFileSync(at('copy/main.cjs'), 'utf8')).toBe('two');
  writeFileSync(at('copy/planted.cjs'), '');
  copyFolder(at('bundle'), at('copy'));
  expect(existsSync(at('copy/planted.cjs')), 'and nothing else').toBe(false);
});

test('a configuration that is there no more leaves no copy', () => {
  writeFileSync(at('prober.yaml'), 'interval: 5s');
  copyFile(at('prober.yaml'), at('copy.yaml'));
  expect(readFileSync(at('copy.yaml'), 'utf8')).toBe('interval: 5s');
  copyFile(at('gone.yaml'), at('copy.yaml'));
  expect(existsSync(at('copy.yaml'))).toBe(false);
});

test('a program gets a second name, or a copy where only its owner may run it; a newer one takes its place', () => {
  writeFileSync(at('node'), 'one', { mode: 0o755 });
  linkProgram(at('node'), at('own'));
  expect(statSync(at('own')).ino).toBe(statSync(at('node')).ino);
  writeFileSync(at('closed'), 'newer', { mode: 0o700 });
  linkProgram(at('closed'), at('own'));
  expect(readFileSync(at('own'), 'utf8')).toBe('newer');
  expect(statSync(at('own')).mode & 0o777).toBe(0o755);
  expect(statSync(at('closed')).mode & 0o777, 'and its owner keeps it so').toBe(0o700);
});
