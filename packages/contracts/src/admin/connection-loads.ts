/*
 * Who brings how much, as the servers themselves count it, of each connection in the fleet's account.
 *
 * Asked over the account that is the servers' own. A server says whose a connection is only together with its whole JWT, so that
 * is asked once for each. What is connected to a site's server is not seen here: its link belongs to the site.
 */
import { join } from 'node:path';
import type { NatsConnection } from '@nats-io/transport-node';
import { z } from 'zod';
import { claimsIn } from '../bus/trust/nkey.ts';
import { readIfPresent } from '../files/replace-file.ts';
import { ConnectionCounts, type ConnectionGrowth } from './connection-counts.ts';
import { connectAsSystem, type SystemAccountOptions } from './system-account.ts';

const PAGE = 1_024;
/** Of those that are closed the last ones only: the server remembers ten thousand. */
const CLOSED = 256;
/** Whose it is, is asked of so many in one reading; those that have brought most come first. */
const NEW_AT_ONCE = 200;
const ANSWERS_WITHIN_MS = 4_000;
const NEXT_ANSWER_WITHIN_MS = 150;
const STATE = { open: 0, closed: 1 } as const;

const Connection = z.object({
  cid: z.number(),
  in_msgs: z.number(),
  in_bytes: z.number(),
  start: z.string().optional(),
  /** With `auth` only. */
  jwt: z.string().optional(),
  /** 2.9 says it of closed ones, whose JWT it has forgotten; newer versions name the account here. */
  name_tag: z.string().optional(),
});
type Connection = z.infer<typeof Connection>;

const Connz = z.object({
  server: z.object({ id: z.string() }),
  data: z.object({ now: z.string().optional(), connections: z.array(Connection).nullish() }).optional(),
});

/** Whose a connection is: `agent/web1`, and its public key where the server still knows it. */
export interface ConnectionOwner {
  readonly identity: string;
  readonly key?: string;
}

/** What one identity has brought since the reading before. */
export interface IdentityLoad extends ConnectionOwner {
  readonly messages: number;
  readonly bytes: number;
  /** How many connections it has now, and how many of them, or of those that ended, are new. */
  readonly open: number;
  readonly opened: number;
}

interface Answers {
  readonly connections: ReadonlyMap<string, Connection>;
  /** When each server answered, by its own clock. */
  readonly servers: ReadonlyMap<string, number>;
  /** A server has more to say. */
  readonly hasMore: boolean;
}

export class ConnectionLoads implements AsyncDisposable {
  readonly #options: SystemAccountOptions;
  readonly #owners = new Map<string, ConnectionOwner>();
  readonly #counts = new ConnectionCounts();
  #client: NatsConnection | undefined;
  #account = '';

  constructor(options: SystemAccountOptions) {
    this.#options = options;
  }

  /** What came since the last reading; nothing at the first. @throws Error when no server answers */
  async read(): Promise<readonly IdentityLoad[]> {
    const client = await this.#connected();
    const [open, closed] = await Promise.all([
      this.#listOpen(client),
      this.#list(client, { state: STATE.closed, sort: 'stop', limit: CLOSED }),
    ]);
    const all = new Map([...closed.connections, ...open.connections]);
    await this.#learnOwners(client, all);
    const counted = [...all].map(([id, one]) => [id, countedOf(id, one, this.#owners.has(id))] as const);
    const growths = this.#counts.take(new Map(counted), open.servers, performance.now());
    const loads = this.#loadsOf(growths, open.connections);
    for (const id of this.#owners.keys()) if (!this.#counts.knows(id)) this.#owners.delete(id);
    return loads;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client?.close();
  }

  #loadsOf(
    growths: ReadonlyMap<string, ConnectionGrowth>,
    open: ReadonlyMap<string, Connection>,
  ): readonly IdentityLoad[] {
    const loads = new Map<string, IdentityLoad>();
    for (const [id, { messages, bytes, isNew }] of growths) {
      const owner = this.#owners.get(id);
      if (owner === undefined) continue;
      const load = loads.get(owner.identity) ?? { ...owner, messages: 0, bytes: 0, open: 0, opened: 0 };
      loads.set(owner.identity, {
        ...load,
        ...(load.key === undefined && owner.key !== undefined && { key: owner.key }),
        messages: load.messages + messages,
        bytes: load.bytes + bytes,
        open: load.open + (open.has(id) ? 1 : 0),
        opened: load.opened + (isNew ? 1 : 0),
      });
    }
    return [...loads.values()];
  }

  /** The connection ends by itself every two minutes. */
  async #connected(): Promise<NatsConnection> {
    if (this.#client !== undefined && !this.#client.isClosed()) return this.#client;
    this.#account = await fleetAccountIn(this.#options.directory);
    this.#client = await connectAsSystem(this.#options, [connzOf(this.#account), '$SYS.REQ.SERVER.*.CONNZ']);
    return this.#client;
  }

  async #listOpen(client: NatsConnection): Promise<Answers> {
    const connections = new Map<string, Connection>();
    let first: Answers['servers'] | undefined;
    for (let offset = 0; ; offset += PAGE) {
      const page = await this.#list(client, { state: STATE.open, limit: PAGE, offset });
      first ??= page.servers;
      for (const [id, one] of page.connections) connections.set(id, one);
      if (!page.hasMore) return { connections, servers: first, hasMore: false };
    }
  }

  /** Of every server. Numbers of connections are a server's own. */
  async #list(client: NatsConnection, request: object): Promise<Answers> {
    const answers = await client.requestMany(connzOf(this.#account), JSON.stringify(request), {
      strategy: 'stall',
      maxWait: ANSWERS_WITHIN_MS,
      stall: NEXT_ANSWER_WITHIN_MS,
    });
    const connections = new Map<string, Connection>();
    const servers = new Map<string, number>();
    let hasMore = false;
    for await (const message of answers) {
      const { server, data } = Connz.parse(message.json());
      const found = data?.connections ?? [];
      servers.set(server.id, Date.parse(data?.now ?? ''));
      hasMore ||= found.length >= PAGE;
      for (const one of found) connections.set(`${server.id} ${one.cid}`, one);
    }
    if (servers.size === 0) throw new Error('no server says who is connected');
    return { connections, servers, hasMore };
  }

  async #learnOwners(client: NatsConnection, all: ReadonlyMap<string, Connection>): Promise<void> {
    const unknown = [...all].filter(([id]) => !this.#owners.has(id)).sort(([, a], [, b]) => b.in_bytes - a.in_bytes);
    const asked = unknown.slice(0, NEW_AT_ONCE).map(async ([id, { cid }]) => {
      const [server = ''] = id.split(' ');
      const body = JSON.stringify({ cid, auth: true });
      const answer = await client.request(`$SYS.REQ.SERVER.${server}.CONNZ`, body, { timeout: ANSWERS_WITHIN_MS });
      const [connection] = Connz.parse(answer.json()).data?.connections ?? [];
      const owner = connection === undefined ? undefined : ownerOf(connection);
      if (owner !== undefined) this.#owners.set(id, owner);
    });
    await Promise.all(asked);
  }
}

function countedOf(id: string, { in_msgs: messages, in_bytes: bytes, start }: Connection, isOwned: boolean) {
  const [server = ''] = id.split(' ');
  return { server, messages, bytes, startedAtMs: start === undefined ? undefined : Date.parse(start), isOwned };
}

function ownerOf({ jwt = '', name_tag: tag = '' }: Connection): ConnectionOwner | undefined {
  if (jwt !== '') {
    const { name, sub: key } = claimsIn(jwt);
    return { identity: name, key };
  }
  return tag.includes('/') ? { identity: tag } : undefined;
}

async function fleetAccountIn(directory: string): Promise<string> {
  const file = join(directory, 'account.jwt');
  const jwt = readIfPresent(file)?.trim();
  if (jwt === undefined) throw new Error(`there is no '${file}': run this where the keys of the bus are`);
  return claimsIn(jwt).sub;
}

function connzOf(account: string): string {
  return `$SYS.REQ.ACCOUNT.${account}.CONNZ`;
}
