/**
 * Room for a start on a full disk: a file in the state directory that stands for nothing. An agent that goes on needs no
 * new room, but one that starts replaces files, and each needs some before it gives some back. So the start takes the file
 * away when the disk is full, and it is made again once there is room.
 */
import { randomBytes } from 'node:crypto';
import { rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { replaceFile } from '@muster/contracts/files';
import { freeBytes } from '../host/free-bytes.ts';

/** A start writes two outboxes anew, of 256 KiB each and what waits in them, and some small files. */
export const RESERVE_BYTES = 1024 * 1024;
const INTERVAL_MS = 10_000;

/** To be called before anything is written. True when the disk was full and now has the reserve's room. */
export function spendReserve(stateDir: string): boolean {
  if (roomIn(stateDir) >= RESERVE_BYTES || !isWhole(fileIn(stateDir))) return false;
  rmSync(fileIn(stateDir), { force: true });
  return true;
}

/** Makes the reserve where it is missing and there is room for more than that. Never throws. */
export function makeReserve(stateDir: string): void {
  const file = fileIn(stateDir);
  try {
    if (isWhole(file) || roomIn(stateDir) < 2 * RESERVE_BYTES) return;
    // Random: a file system that compresses would keep no room for anything else.
    replaceFile(file, randomBytes(RESERVE_BYTES), { isDurable: false });
  } catch {
    // Somebody else was faster with the room, or the directory is not ours any more; the next look tries again.
  }
}

/** Keeps the reserve while the agent runs. */
export class ReserveKeeper implements Disposable {
  readonly #timer: NodeJS.Timeout;

  constructor(stateDir: string) {
    makeReserve(stateDir);
    this.#timer = setInterval(() => makeReserve(stateDir), INTERVAL_MS);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

function fileIn(stateDir: string): string {
  return path.join(stateDir, 'reserve');
}

function isWhole(file: string): boolean {
  return (statSync(file, { throwIfNoEntry: false })?.size ?? 0) >= RESERVE_BYTES;
}

/** Infinity where the file system does not say: its reserve is never spent, as before there was one. */
function roomIn(directory: string): number {
  return freeBytes(directory) ?? Number.POSITIVE_INFINITY;
}
