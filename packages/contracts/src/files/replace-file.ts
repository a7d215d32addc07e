/*
 * Small files that are read and replaced as a whole. It is synchronous: state must be on disk before the effects of the same
 * step happen, and an `await` in between would let another step in.
 */
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';

export interface ReplaceOptions {
  /** Whatever the umask says. Default: 0600, its owner's alone. */
  readonly mode?: number;
  /** Default: it survives a power cut, for which it waits some milliseconds. False: only a crash of the program. */
  readonly isDurable?: boolean;
}

/**
 * Replaces a file in one step: a reader, or the next program after `kill -9`, sees the old text or the new one, never half.
 * Makes the folders that are missing.
 * @throws the system's error when the disk does not take all of it; the old text then stands, and nothing is left beside it
 */
export function replaceFile(file: string, text: string | Uint8Array, options: ReplaceOptions = {}): void {
  const { mode = 0o600, isDurable = true } = options;
  const folder = dirname(file);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const temporary = `${file}.${randomUUID()}.tmp`;
  try {
    const descriptor = openSync(temporary, 'wx', 0o600);
    try {
      fchmodSync(descriptor, mode);
      // Not writeSync: on a disk that is nearly full it writes a part and says nothing.
      writeFileSync(descriptor, text);
      if (isDurable) fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, file);
  } catch (error) {
    removeIfAny(temporary);
    throw error;
  }
  if (isDurable) syncFolder(folder);
}

/** Without it a power cut may bring the old file back. Not every file system can do it. */
function syncFolder(folder: string): void {
  try {
    const descriptor = openSync(folder, 'r');
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch {
    // The new text stands by now, and is on the disk.
  }
}

function removeIfAny(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // The first error says more.
  }
}

/** The file's text, or `undefined` when there is none. */
export function readIfPresent(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
