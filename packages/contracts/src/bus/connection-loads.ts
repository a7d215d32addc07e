/*
 * Who brings how much, as the servers themselves count it, of each connection in the fleet's account.
 *
 * Asked over the account that is the servers' own. A server says whose a connection is only together with its whole JWT, so that
 * is asked once for each. What is connected to a site's server is not seen here: its link belongs to the site.
 */
import { join } from 'node:path';
import type { NatsConnection } from '@nats-io/transport-node';
import { z } from 'zod';
import { readIfPresent } from './atomic-file.ts';
import { connectAsSystem, type SystemAccountOptions } from './system-account.ts';
import { claimsIn } from './trust/nkey.ts';

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
  /** With `auth` only. */
  jwt: z.string().optional(),
  /** 2.9 says it of closed ones, whose JWT it has forgotten; newer versions name the account here. */
  name_tag: z.string().optional(),
});
type Connection = z.infer<typeof Connection>;

const Connz = z.object({
  server: z.object({ id: z.string() }),
  data: z.object({ total: z.number(), connections: z.array(Connection).nullish() }).optional(),
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

interface Counted {
  readonly messages: number;
  readonly bytes: number;
}

export class ConnectionLoads implements AsyncDisposable {
  readonly #options: SystemAccountOptions;
  readonly #owners = new Map<string, ConnectionOwner>();
  #counted: ReadonlyMap<string, Counted> | undefined;
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
    const all = new Map([...closed, ...open]);
    await this.#learnOwners(client, all);
    for (const id of this.#owners.keys()) if (!all.has(id)) this.#owners.delete(id);
    const before = this.#counted;
    this.#counted = new Map([...all].map(([id, one]) => [id, { messages: one.in_msgs, bytes: one.in_bytes }]));
    return before === undefined ? [] : this.#loadsSince(before, open);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client?.close();
  }

  #loadsSince(before: ReadonlyMap<string, Counted>, open: ReadonlyMap<string, Connection>): readonly IdentityLoad[] {
    const loads = new Map<string, IdentityLoad>();
    for (const [id, { messages, bytes }] of this.#counted ?? []) {
      const owner = this.#owners.get(id);
      if (owner === undefined) continue;
      const former = before.get(id);
      const load = loads.get(owner.identity) ?? { ...owner, messages: 0, bytes: 0, open: 0, opened: 0 };
      loads.set(owner.identity, {
        ...load,
        ...(load.key === undefined && owner.key !== undefined && { key: owner.key }),
        messages: load.messages + messages - (former?.messages ?? 0),
        bytes: load.bytes + bytes - (former?.bytes ?? 0),
        open: load.open + (open.has(id) ? 1 : 0),
        opened: load.opened + (former === undefined ? 1 : 0),
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

  async #listOpen(client: NatsConnection): Promise<Map<string, Connection>> {
    const all = new Map<string, Connection>();
    for (let offset = 0; ; offset += PAGE) {
      const page = await this.#list(client, { state: STATE.open, limit: PAGE, offset });
      for (const [id, one] of page) all.set(id, one);
      if (page.size < PAGE) return all;
    }
  }

  /** Of every server. Numbers of connections are a server's own. */
  async #list(client: NatsConnection, request: object): Promise<Map<string, Connection>> {
    const answers = await client.requestMany(connzOf(this.#account), JSON.stringify(request), {
      strategy: 'stall',
      maxWait: ANSWERS_WITHIN_MS,
      stall: NEXT_ANSWER_WITHIN_MS,
    });
    const found = new Map<string, Connection>();
    let servers = 0;
    for await (const message of answers) {
      const { server, data } = Connz.parse(message.json());
      servers += 1;
      for (const one of data?.connections ?? []) found.set(`${server.id} ${one.cid}`, one);
    }
    if (servers === 0) throw new Error('no server says who is connected');
    return found;
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

function ownerOf({ jwt = '', name_tag: tag = '' }: Connection): ConnectionOwner | undefined {
  if (jwt !== '') {
    const { name, sub: key } = claimsIn(jwt);
    return { identity: name, key };
  }
  return tag.includes('/') ? { identity: tag } : undefined;
}

async function fleetAccountIn(directory: string): Promise<string> {
  const file = join(directory, 'account.jwt');
  const jwt = (await readIfPresent(file))?.trim();
  if (jwt === undefined) throw new Error(`there is no '${file}': run this where the keys of the bus are`);
  return claimsIn(jwt).sub;
}

function connzOf(account: string): string {
  return `$SYS.REQ.ACCOUNT.${account}.CONNZ`;
}
