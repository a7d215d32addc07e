import { readdir, readFile, readlink } from 'node:fs/promises';
import { SharedReading } from './shared-reading.ts';

/*
 * What uid 0 means. The kernel tells who made a socket as a number of *our* user namespace. In the first one, which maps every
 * id to itself, nobody but root has 0: the root of a namespace that an ordinary account made shows as that account. But root
 * itself may be shut in: a container on the machine's own network has the same 0. Which process it is can be seen by root only.
 */

/** A container has others than the machine; root in a shell has ours. A mount namespace proves nothing: services have their own. */
const KINDS = ['user', 'net', 'pid'] as const;

/** Whether every id of the kernel is the same number to us, as in the first user namespace. */
export async function isWholeUidMap(): Promise<boolean> {
  return /^\s*0\s+0\s+4294967295\s*$/.test(await readFile('/proc/self/uid_map', 'utf8'));
}

/** What the kernel shows for accounts that our user namespace has no number for. */
export async function overflowUid(): Promise<number> {
  return Number(await readFile('/proc/sys/kernel/overflowuid', 'utf8'));
}

/** The sockets that processes of our user, network and pid namespaces have open, as far as we may look. */
export class SocketsHere {
  readonly #inodes = new SharedReading(readSocketsHere);

  async has(inode: string): Promise<boolean> {
    return (await this.#inodes.result()).has(inode);
  }
}

async function readSocketsHere(): Promise<ReadonlySet<string>> {
  const inodes = new Set<string>();
  const own = await namespacesOf('self');
  if (own === undefined) return inodes;
  for (const pid of await readdir('/proc')) {
    if (/^\d+$/.test(pid) && (await namespacesOf(pid)) === own)
      for (const inode of await socketsOf(pid)) inodes.add(inode);
  }
  return inodes;
}

/** `undefined` for a process that is gone or that we may not look at. */
async function namespacesOf(pid: string): Promise<string | undefined> {
  try {
    return (await Promise.all(KINDS.map((kind) => readlink(`/proc/${pid}/ns/${kind}`)))).join(' ');
  } catch {
    return undefined;
  }
}

async function socketsOf(pid: string): Promise<readonly string[]> {
  const folder = `/proc/${pid}/fd`;
  const names = await readdir(folder).catch(() => []);
  const links = await Promise.all(names.map((name) => readlink(`${folder}/${name}`).catch(() => '')));
  return links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []);
}
