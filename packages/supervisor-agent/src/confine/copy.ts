import {
  chmodSync,
  constants,
  copyFileSync,
  linkSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  utimesSync,
} from 'node:fs';
import path from 'node:path';

/** Time stamps of copies are set, and lose what is below. */
const TIME_TOLERANCE_MS = 2;
/** What only debuggers read. */
const LEFT_OUT = /\.map$/;

/** Makes `target` what `source` is, for everybody to read; a half copy never has its name. Nothing is done where it is that already. */
export function copyFolder(source: string, target: string): void {
  if (isSameFolder(source, target)) return;
  const fresh = `${target}.new`;
  rmSync(fresh, { recursive: true, force: true });
  copyInto(source, fresh);
  rmSync(target, { recursive: true, force: true });
  renameSync(fresh, target);
}

/** The same for one file; where there is no source, there is no target either. */
export function copyFile(source: string, target: string, mode = 0o644): void {
  const stat = statSync(source, { throwIfNoEntry: false });
  if (stat === undefined) rmSync(target, { force: true });
  else if (!isSameFile(stat, target)) arrive(target, (fresh) => copyOne(source, stat, fresh, mode));
}

/** The same for a program that may be large: a second name for it, where the file system can do that. */
export function linkProgram(source: string, target: string): void {
  const stat = statSync(source);
  if (isSameFile(stat, target)) return;
  const isForAll = (stat.mode & 0o555) === 0o555;
  arrive(target, (fresh) => {
    if (!isForAll || !hasLinked(source, fresh)) copyOne(source, stat, fresh, 0o755);
  });
}

function arrive(target: string, make: (fresh: string) => void): void {
  const fresh = `${target}.new`;
  rmSync(fresh, { force: true });
  make(fresh);
  renameSync(fresh, target);
}

function copyInto(source: string, target: string): void {
  mkdirSync(target, { mode: 0o755 });
  chmodSync(target, 0o755);
  for (const entry of entriesOf(source)) {
    const [from, to] = [path.join(source, entry.name), path.join(target, entry.name)];
    if (entry.isDirectory()) copyInto(from, to);
    else copyOne(from, statSync(from), to, 0o644);
  }
}

function copyOne(source: string, stat: Stats, target: string, mode: number): void {
  copyFileSync(source, target, constants.COPYFILE_FICLONE);
  chmodSync(target, mode);
  utimesSync(target, stat.atimeMs / 1_000, stat.mtimeMs / 1_000);
}

function hasLinked(source: string, target: string): boolean {
  try {
    linkSync(source, target);
    return true;
  } catch {
    return false; // another file system, or one without links
  }
}

function isSameFolder(source: string, target: string): boolean {
  if (statSync(target, { throwIfNoEntry: false })?.isDirectory() !== true) return false;
  const entries = entriesOf(source);
  if (entries.length !== readdirSync(target).length) return false;
  return entries.every((entry) => {
    const [from, to] = [path.join(source, entry.name), path.join(target, entry.name)];
    return entry.isDirectory() ? isSameFolder(from, to) : isSameFile(statSync(from), to);
  });
}

function isSameFile(source: Stats, target: string): boolean {
  const stat = statSync(target, { throwIfNoEntry: false });
  if (stat === undefined) return false;
  if (stat.ino === source.ino && stat.dev === source.dev) return true;
  return stat.size === source.size && Math.abs(stat.mtimeMs - source.mtimeMs) < TIME_TOLERANCE_MS;
}

function entriesOf(folder: string) {
  return readdirSync(folder, { withFileTypes: true }).filter(({ name }) => !LEFT_OUT.test(name));
}
