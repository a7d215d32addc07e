import { appendFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isRoot } from './accounts.ts';
import { startFixture } from './fixture-process.ts';
import { temporaryDirectory } from './temporary-directory.ts';
import type { TestHost } from './test-network.ts';

/**
 * A disk so small that it can be filled: a tmpfs in a mount namespace that one process holds. It and its contents are gone
 * with that process, however the test ends. Needs root.
 */
export interface SmallDisk extends AsyncDisposable {
  /** For programs started with `command`. */
  readonly path: string;
  /** The same for this process. */
  readonly seenPath: string;
  /** Programs that see the disk: they run on loopback of the test's own network. */
  readonly host: Pick<TestHost, 'address' | 'command'>;
  /** Takes all that is free. */
  fill(): Promise<void>;
  makeRoom(): Promise<void>;
}

/** Why there can be no small disk here; `undefined` when there can. */
export function whyNoSmallDisk(): string | undefined {
  return isRoot ? undefined : 'needs root for a disk of its own';
}

const PIECE_BYTES = 64 * 1024;

export async function startSmallDisk(sizeMib: number): Promise<SmallDisk> {
  const home = await temporaryDirectory();
  const mount = 'mount -t tmpfs -o "size=$1m" tmpfs "$2" && echo mounted && exec sleep infinity';
  const holder = await startFixture('unshare', ['--mount', 'sh', '-c', mount, 'holder', String(sizeMib), home.path]);
  await holder.line('mounted');
  // What the holder sees, for a process that is not in its namespace.
  const seen = join(`/proc/${holder.pid}/root`, home.path);
  const filler = join(seen, 'filler');
  return {
    path: home.path,
    seenPath: seen,
    host: {
      address: '127.0.0.1',
      command: (program, ...args) => ['nsenter', `--mount=/proc/${holder.pid}/ns/mnt`, program, ...args],
    },
    async fill() {
      // Whoever else writes meanwhile only makes it quicker.
      const piece = Buffer.alloc(PIECE_BYTES);
      for (;;) {
        try {
          await appendFile(filler, piece);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
          return;
        }
      }
    },
    makeRoom: () => rm(filler),
    async [Symbol.asyncDispose]() {
      await holder[Symbol.asyncDispose]();
      await home[Symbol.asyncDispose]();
    },
  };
}
