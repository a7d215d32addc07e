/*
 * Folders of one user alone, on a machine with other accounts.
 *
 * Whoever can put a folder or a link where a program expects its own has that program read, obey and overwrite what he
 * likes: in /tmp anybody can. So a folder counts only when this user owns it and nobody else may enter, and when nobody
 * else could put another in its place: each folder above it belongs to root or to this user, and is not open for others to
 * write, or is sticky (as /tmp is). Nothing is concluded from a name: it is made or found, and then looked at, without
 * following a link.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  type Stats,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { PROGRAMS_FOLDER, SERVER_FOLDER } from './state-layout.ts';

const OTHERS = 0o077;
const OTHERS_WRITE = 0o022;
const STICKY = 0o1000;
const ROOT = 0;
/** As the kernel's: more links than this lead nowhere. */
const MAX_LINKS = 40;

/** A folder that another account owns, may enter, or could exchange. The message says what is wrong and what helps. */
export class PrivateFolderError extends Error {
  readonly path: string;

  constructor(path: string, wrong: string, remedy: string) {
    super(`'${path}' ${wrong}: ${remedy}`);
    this.name = 'PrivateFolderError';
    this.path = path;
  }
}

/**
 * Makes the folder, or proves that what is there is this user's alone; makes what is missing above it. To be called each
 * time before something is made in it: what cleans /tmp may have taken it away.
 * @throws PrivateFolderError, or the system's error where it can't be made
 */
export function claimPrivateFolder(folder: string): void {
  const path = resolve(folder);
  const stat = isWindows() ? makeFolder(path) : walkTo(path);
  expectOwn(path, stat);
  if ((stat.mode & OTHERS) === 0 || isWindows()) return;
  throw new PrivateFolderError(
    path,
    `is open to other users of this machine (mode ${octal(stat)})`,
    `if nobody else has put anything there, chmod 700 '${path}'`,
  );
}

/** Throws where something in a folder that was claimed is not this user's, or a link. @throws PrivateFolderError */
export function expectOwnEntries(folder: string): void {
  if (isWindows()) return;
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined || (stat.uid === ownUid() && !stat.isSymbolicLink())) continue;
    const what = stat.isSymbolicLink() ? 'is a link' : ownedBy(stat);
    throw new PrivateFolderError(path, `${what}, and nothing of Muster's is`, `remove it: rm -r '${path}'`);
  }
}

/** What was open to other users until now, and is not any more. */
export interface ClosedFolder {
  readonly paths: readonly string[];
}

/**
 * Makes the folder of a program's state, or takes what is there when it is this user's, and closes it to everybody else:
 * 0700, and 0600 what lies in it. What is below a folder that was closed already can't be reached, and is not looked at.
 * @throws PrivateFolderError, or the system's error where it can't be made
 */
export function claimStateFolder(folder: string): ClosedFolder {
  const path = resolve(folder);
  const stat = makeFolder(path);
  if (isWindows()) return { paths: [] };
  expectOwn(path, stat);
  const paths: string[] = [];
  const isOpen = close(path, stat, paths);
  // Only now, when nobody can change it any more.
  closeEntries(path, isOpen && (stat.mode & OTHERS_WRITE) !== 0, paths, isForOwnUsers);
  return { paths };
}

/**
 * Started by root, the bus, the prober and the dashboard run as users of their own, for whom root lays out what they need:
 * they find it from where they are, and nobody else finds a way.
 */
function isForOwnUsers(name: string, { gid }: Stats): boolean {
  return ownUid() === ROOT && (name === PROGRAMS_FOLDER || (name === SERVER_FOLDER && gid !== ROOT));
}

/** `wasWritable`: what others own in it, they may have put there, so that it is taken for this user's. */
function closeEntries(
  folder: string,
  wasWritable: boolean,
  closed: string[],
  isLeft: (name: string, stat: Stats) => boolean = () => false,
): void {
  for (const name of namesOf(folder)) {
    const path = join(folder, name);
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined || isLeft(name, stat)) continue;
    const isForeign = stat.uid !== ownUid() && stat.uid !== ROOT;
    if (isForeign && wasWritable) {
      throw new PrivateFolderError(
        path,
        `${ownedBy(stat)}, and its folder was open for others to write`,
        `look at it, and remove it or chown it to ${nameOf(ownUid())}`,
      );
    }
    if (stat.uid !== ownUid() || !(stat.isFile() || stat.isDirectory())) continue;
    if (close(path, stat, closed) && stat.isDirectory()) closeEntries(path, (stat.mode & OTHERS_WRITE) !== 0, closed);
  }
}

/** Services that go on without an agent may remove files meanwhile. */
function namesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

/** True when it was open. */
function close(path: string, { mode }: Stats, closed: string[]): boolean {
  if ((mode & OTHERS) === 0) return false;
  let descriptor: number;
  try {
    // What stands there by now may be a link: that is not followed.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
  try {
    const stat = fstatSync(descriptor);
    expectOwn(path, stat, stat.isDirectory());
    fchmodSync(descriptor, stat.mode & 0o7777 & ~OTHERS & ~STICKY);
  } finally {
    closeSync(descriptor);
  }
  closed.push(path);
  return true;
}

function isGone(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

/** Returns what stands there, which is made where it is missing; checks each folder on the way. */
function walkTo(path: string): Stats {
  const names = namesIn(path);
  let at = '/';
  let links = 0;
  for (;;) {
    const name = names.shift();
    if (name === undefined) return lstatSync(at);
    expectUnexchangeable(at, lstatSync(at));
    const next = join(at, name);
    const stat = names.length === 0 ? makeFolder(next) : makeFolderUnlessLink(next);
    if (!stat.isSymbolicLink() || names.length === 0) {
      at = next;
      continue;
    }
    links += 1;
    if (links > MAX_LINKS) throw new PrivateFolderError(path, 'leads through too many links', 'name the folder itself');
    if (stat.uid !== ROOT && stat.uid !== ownUid()) {
      throw new PrivateFolderError(next, `is a link, and ${ownedBy(stat)}`, 'name the folder itself');
    }
    names.unshift(...namesIn(resolve(at, readlinkSync(next))));
    at = '/';
  }
}

function namesIn(path: string): string[] {
  return path.split('/').filter((name) => name !== '');
}

/** Whoever may write in a folder that is not sticky, or owns it, can put another folder in the place of any in it. */
function expectUnexchangeable(path: string, stat: Stats): void {
  const isWritable = (stat.mode & OTHERS_WRITE) !== 0 && (stat.mode & STICKY) === 0;
  const isOthers = stat.uid !== ROOT && stat.uid !== ownUid();
  if (!isWritable && !isOthers) return;
  const what = isOthers ? ownedBy(stat) : `is open for others to write (mode ${octal(stat)})`;
  throw new PrivateFolderError(path, `${what}, who could exchange what lies in it`, 'use a folder elsewhere');
}

function makeFolderUnlessLink(path: string): Stats {
  return lstatSync(path, { throwIfNoEntry: false }) ?? makeFolder(path);
}

/** Not `recursive`: that takes a link to a folder for the folder. */
function makeFolder(path: string): Stats {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') {
      mkdirSync(path, { mode: 0o700, recursive: true });
    } else if (code !== 'EEXIST') {
      // A file system that is read-only says so before it says that the folder is there.
      const stat = lstatSync(path, { throwIfNoEntry: false });
      if (stat !== undefined) return stat;
      throw error;
    }
  }
  return lstatSync(path);
}

function expectOwn(path: string, stat: Stats, isFolder = true): void {
  if (isFolder && stat.isSymbolicLink()) {
    throw new PrivateFolderError(path, 'is a link to another folder', 'name the folder itself');
  }
  if (isFolder && !stat.isDirectory()) {
    throw new PrivateFolderError(path, 'is no folder', 'remove it, or name another one');
  }
  if (isWindows() || stat.uid === ownUid()) return;
  throw new PrivateFolderError(path, ownedBy(stat), `run this as the user who owns it, or name another folder`);
}

function ownedBy({ uid }: Stats): string {
  return `belongs to ${nameOf(uid)}, and this runs as ${nameOf(ownUid())}`;
}

function nameOf(uid: number): string {
  return uid === ROOT ? 'root' : `uid ${uid}`;
}

function octal({ mode }: Stats): string {
  return (mode & 0o7777).toString(8);
}

function ownUid(): number {
  return process.geteuid?.() ?? ROOT;
}

/** Modes and owners are no fence there. */
function isWindows(): boolean {
  return process.platform === 'win32';
}
