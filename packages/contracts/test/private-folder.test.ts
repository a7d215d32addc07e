/* Folders of one user alone: what other accounts may have made there first. Their accounts are played by root. */
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isRoot } from '@muster/testkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  claimPrivateFolder,
  claimStateFolder,
  expectOwnEntries,
  PrivateFolderError,
} from '../src/files/private-folder.ts';

/** Nobody's, on every Linux. */
const OTHER_UID = 65_534;
/** Only root can give a file to somebody else. */

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'muster-private-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const modeOf = (path: string): number => statSync(path).mode & 0o7777;

function made(path: string, mode: number, uid?: number): string {
  mkdirSync(path);
  chmodSync(path, mode);
  if (uid !== undefined) chownSync(path, uid, uid);
  return path;
}

function written(path: string, mode: number, uid?: number): string {
  writeFileSync(path, 'secret');
  chmodSync(path, mode);
  if (uid !== undefined) chownSync(path, uid, uid);
  return path;
}

describe('a private folder', () => {
  test('is made with all that is missing above it, and found again', () => {
    const folder = join(home, 'a/b/c');
    claimPrivateFolder(folder);
    claimPrivateFolder(folder);
    for (const level of ['a', 'a/b', 'a/b/c']) expect(modeOf(join(home, level))).toBe(0o700);
  });

  test('may lie in a folder that is open to all and sticky, as /tmp is', () => {
    made(join(home, 'tmp'), 0o1777);
    claimPrivateFolder(join(home, 'tmp/muster-1000'));
    expect(modeOf(join(home, 'tmp/muster-1000'))).toBe(0o700);
  });

  test.each([0o777, 0o755, 0o750, 0o710, 0o701])('open to others, with mode %o, it is refused', (mode) => {
    expect(() => claimPrivateFolder(made(join(home, 'mine'), mode))).toThrow(/is open to other users .*: .*chmod 700/u);
  });

  test('a link, and a file, are no folder', () => {
    made(join(home, 'real'), 0o700);
    symlinkSync('real', join(home, 'link'));
    written(join(home, 'file'), 0o600);
    expect(() => claimPrivateFolder(join(home, 'link'))).toThrow('is a link to another folder');
    expect(() => claimPrivateFolder(join(home, 'file'))).toThrow('is no folder');
    // On the way to it a link of this user's is followed, to what is proven like anything else.
    claimPrivateFolder(join(home, 'link/below'));
    expect(modeOf(join(home, 'real/below'))).toBe(0o700);
  });

  test('above it lies nothing that others may write, or it could be exchanged', () => {
    made(join(home, 'open'), 0o777);
    expect(() => claimPrivateFolder(join(home, 'open/mine'))).toThrow('could exchange what lies in it');
    chmodSync(join(home, 'open'), 0o700);
    claimPrivateFolder(join(home, 'open/mine/below'));
    chmodSync(join(home, 'open'), 0o775);
    expect(() => claimPrivateFolder(join(home, 'open/mine/below'))).toThrow('could exchange what lies in it');
  });

  test.skipIf(!isRoot)('of another account it is refused, whatever its mode, and so is what lies below one', () => {
    made(join(home, 'tmp'), 0o1777);
    const folder = made(join(home, 'tmp/muster-0'), 0o700, OTHER_UID);
    expect(() => claimPrivateFolder(folder)).toThrow('belongs to uid 65534, and this runs as root');
    expect(() => claimPrivateFolder(join(folder, 'agent'))).toThrow('belongs to uid 65534');
    rmSync(folder, { recursive: true });
    // A link of theirs, also to what would do.
    made(join(home, 'mine'), 0o700);
    symlinkSync(join(home, 'mine'), folder);
    expect(() => claimPrivateFolder(folder)).toThrow('is a link');
    // Root's own link may be followed on the way.
    claimPrivateFolder(join(folder, 'agent'));
    rmSync(folder);
    const theirs = made(join(home, 'tmp/theirs'), 0o755, OTHER_UID);
    symlinkSync(theirs, join(home, 'mine/way'));
    expect(() => claimPrivateFolder(join(home, 'mine/way/agent'))).toThrow('belongs to uid 65534');
  });

  test.skipIf(!isRoot)('what somebody else put into it is told, and no link in it is followed', () => {
    const folder = made(join(home, 'mine'), 0o700);
    written(join(folder, 'shim.sh'), 0o600);
    expectOwnEntries(folder);
    made(join(folder, 'web.0'), 0o700, OTHER_UID);
    expect(() => expectOwnEntries(folder)).toThrow(/web\.0' belongs to uid 65534.*remove it/u);
    rmSync(join(folder, 'web.0'), { recursive: true });
    symlinkSync('/tmp', join(folder, 'web.0'));
    expect(() => expectOwnEntries(folder)).toThrow(/web\.0' is a link/u);
  });
});

describe('a state folder', () => {
  test('is made for its user alone', () => {
    const folder = join(home, 'a/state');
    expect(claimStateFolder(folder)).toEqual({ paths: [] });
    expect(modeOf(folder)).toBe(0o700);
  });

  test('an existing one is closed with all that others could reach in it, and that is told once', () => {
    const folder = made(join(home, 'state'), 0o755);
    const logs = made(join(folder, 'logs'), 0o755);
    const open = [
      written(join(folder, 'status.json'), 0o644),
      written(join(folder, 'launcher.json'), 0o640),
      written(join(logs, 'api.0.stdout.log'), 0o640),
    ];
    const program = written(join(folder, 'nats-server'), 0o755);
    const closed = made(join(folder, 'keys'), 0o700);
    const outside = written(join(home, 'outside'), 0o644);
    symlinkSync(outside, join(folder, 'link'));
    expect(new Set(claimStateFolder(folder).paths)).toEqual(new Set([folder, logs, program, ...open]));
    for (const path of open) expect(modeOf(path)).toBe(0o600);
    for (const path of [folder, logs, closed, program]) expect(modeOf(path)).toBe(0o700);
    expect(modeOf(outside)).toBe(0o644);
    expect(claimStateFolder(folder)).toEqual({ paths: [] });
  });

  test('a link is refused: its name says nothing of where state is', () => {
    made(join(home, 'elsewhere'), 0o755);
    symlinkSync('elsewhere', join(home, 'state'));
    expect(() => claimStateFolder(join(home, 'state'))).toThrow(/is a link to another folder: name the folder itself/u);
    expect(modeOf(join(home, 'elsewhere'))).toBe(0o755);
  });

  test.skipIf(!isRoot)(
    'of another account it is refused, and so is what another account could have put into it',
    () => {
      const theirs = made(join(home, 'theirs'), 0o700, OTHER_UID);
      expect(() => claimStateFolder(theirs)).toThrow(PrivateFolderError);
      expect(() => claimStateFolder(theirs)).toThrow('run this as the user who owns it');
      const folder = made(join(home, 'state'), 0o777);
      const planted = written(join(folder, 'services.last-good.yaml'), 0o644, OTHER_UID);
      expect(() => claimStateFolder(folder)).toThrow(`'${planted}' belongs to uid 65534`);
    },
  );

  test.skipIf(!isRoot)('what belongs to others in one that only its user could write, its user has given them', () => {
    const folder = made(join(home, 'state'), 0o755);
    const given = made(join(folder, 'nats'), 0o750, OTHER_UID);
    expect(claimStateFolder(folder).paths).toEqual([folder]);
    expect(modeOf(given)).toBe(0o750);
  });
});
