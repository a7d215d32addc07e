import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { endianness } from 'node:os';
import { isWholeUidMap, overflowUid, SocketsHere } from './namespaces.ts';
import { otherEnd, type SocketRow } from './proc-net.ts';
import { SharedReading } from './shared-reading.ts';

/** The account at the other end of a connection, or why it isn't known. */
export type PeerAccount = { readonly uid: number } | { readonly uid?: undefined; readonly reason: string };

/** Both tables, as they are now. */
export type ReadTables = () => Promise<string>;

const UNSEEN = 'the kernel shows no open connection of yours (was it closed already?)';

/**
 * Which account is at the other end of each connection. The tables are read once a connection is accepted: who created the
 * other end's socket is what counts, whoever holds it later and whatever is sent over it.
 *
 * A client may send, reset its end and leave its port to somebody else, all before the tables are read; the row would then
 * be the other's. Therefore our own end is asked for its peer only *after* the tables were read: Node keeps the first
 * answer, and the kernel refuses it for an end that was reset. An end that lives had no other peer in between.
 */
export class Peers {
  readonly #rows = new WeakMap<Socket, Promise<SocketRow | undefined>>();
  readonly #accounts = new WeakMap<Socket, Promise<PeerAccount>>();
  readonly #socketsHere = new SocketsHere();
  readonly #tables: SharedReading<string>;

  constructor(readTables: ReadTables = readProcNet) {
    this.#tables = new SharedReading(readTables);
  }

  /** Call it while the connection is accepted. */
  accepted(socket: Socket): void {
    const row = this.#look(socket);
    // Whoever never asks anything has nobody waiting for the answer.
    row.catch(() => {});
    this.#rows.set(socket, row);
  }

  /** Never rejects. */
  async accountOf(socket: Socket): Promise<PeerAccount> {
    let account = this.#accounts.get(socket);
    if (account === undefined) {
      account = this.#judge(socket);
      this.#accounts.set(socket, account);
    }
    return account;
  }

  async #judge(socket: Socket): Promise<PeerAccount> {
    try {
      const row = await this.#rows.get(socket);
      return row === undefined ? { reason: UNSEEN } : await this.#accountOf(row);
    } catch (error) {
      return {
        reason: `the kernel does not say who you are: ${(error as NodeJS.ErrnoException).code ?? 'unreadable'}`,
      };
    }
  }

  async #accountOf({ uid, inode }: SocketRow): Promise<PeerAccount> {
    if (uid !== 0) {
      const isSomebodyElse = !(await isWholeUidMap()) && uid === (await overflowUid());
      return isSomebodyElse ? { reason: 'your account has no number in this user namespace' } : { uid };
    }
    if (process.geteuid?.() === 0) {
      if (await this.#socketsHere.has(inode)) return { uid };
      return { reason: 'no process of root in the namespaces of this dashboard holds your connection' };
    }
    // Others than root may not look at root's processes.
    return (await isWholeUidMap()) ? { uid } : { reason: 'root of another user namespace cannot be told apart here' };
  }

  async #look(socket: Socket): Promise<SocketRow | undefined> {
    const tables = await this.#tables.result();
    const { remoteAddress, remotePort, localAddress, localPort } = socket;
    if (!remoteAddress || !remotePort || !localAddress || !localPort) return undefined;
    return otherEnd(
      tables,
      { theirAddress: remoteAddress, theirPort: remotePort, ourAddress: localAddress, ourPort: localPort },
      endianness(),
    );
  }
}

async function readProcNet(): Promise<string> {
  const four = await readFile('/proc/self/net/tcp', 'latin1');
  // A machine without IPv6 has no such table.
  const six = await readFile('/proc/self/net/tcp6', 'latin1').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  return four + six;
}
