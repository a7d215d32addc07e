/**
 * The agent's own files, replaced as a whole. All of it is synchronous: state must be on disk before the effects of the
 * same step happen, and an `await` in between would let another step in.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/**
 * Replaces a file in one step: a reader, or the next agent after `kill -9`, sees the old text or the new, never half.
 * `isDurable` also waits for the disk, so that it survives a power cut; that takes milliseconds.
 * @throws Error when the disk does not take all of it; the old text then stands, and nothing is left beside it
 */
export function replaceFile(
  file: string,
  text: string | Uint8Array,
  options: { isDurable?: boolean; mode?: number } = {},
): void {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    const descriptor = openSync(temporary, 'w', options.mode ?? 0o600);
    try {
      // Not writeSync: on a disk that is nearly full it writes a part and says nothing.
      writeFileSync(descriptor, text);
      if (options.isDurable === true) fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, file);
  } catch (error) {
    removeIfAny(temporary);
    throw error;
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
export function readFileIfAny(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
