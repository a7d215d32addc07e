/*
 * What an outbox has brought to its stream lately, kept in case that the bus loses it: a store that is restored goes back in time.
 *
 * Nothing is written for it: a journal that is written anew leaves its old file, which says of each message what became of
 * it. Those files are kept for a day, or as far as their bytes go, and read when the bus has gone back.
 */
import { readdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';

const NAME = /^kept-(\d{10})$/;
const MAX_AGE_MS = 24 * 3_600_000;
/** Some 10,000 events. */
const MAX_BYTES = 8 * 1024 * 1024;
const MAX_FILES = 64;

/** Keeps a file of the journal, of which `bytes` are written. @throws when the disk refuses */
export function keepFile(directory: string, file: string, generation: number, bytes: number): void {
  truncateSync(file, bytes);
  renameSync(file, join(directory, `kept-${String(generation).padStart(10, '0')}`));
  let sum = 0;
  for (const [index, kept] of keptFiles(directory).toReversed().entries()) {
    const { size, mtimeMs } = statSync(kept);
    sum += size;
    if (index >= MAX_FILES || sum > MAX_BYTES || Date.now() - mtimeMs > MAX_AGE_MS) rmSync(kept, { force: true });
  }
}

/** Their texts, oldest first. @throws when they can't be read */
export function readKept(directory: string): readonly string[] {
  return keptFiles(directory)
    .filter((file) => Date.now() - statSync(file).mtimeMs <= MAX_AGE_MS)
    .map((file) => readFileSync(file, 'utf8'));
}

/** They are a reserve: what is on its way needs the room more. */
export function dropKept(directory: string): void {
  for (const file of keptFiles(directory)) rmSync(file, { force: true });
}

function keptFiles(directory: string): readonly string[] {
  return readdirSync(directory)
    .filter((name) => NAME.test(name))
    .sort()
    .map((name) => join(directory, name));
}
