/*
 * Telling running servers what has changed in the fleet's account, over the account that is the servers' own.
 *
 * A server closes at once the connections of users that the new JWT revokes, or that a removed key has signed. It forgets
 * the JWT at its next start, so its configuration must say the same: write that first.
 */
import { join } from 'node:path';
import { createUser, encodeUser, fmtCreds, fromSeed } from '@nats-io/jwt';
import { connect, credsAuthenticator, type NatsConnection } from '@nats-io/transport-node';
import { z } from 'zod';
import type { TlsFiles } from '../bus-address.ts';
import { readIfPresent } from './atomic-file.ts';
import { isTlsAsked, tlsFor, tlsRefusal } from './tls.ts';

const CONNECT_TIMEOUT_MS = 5_000;
/** How long the slowest server of a cluster may take, and how long after one answer the next may still come. */
const ANSWERS_WITHIN_MS = 5_000;
const NEXT_ANSWER_WITHIN_MS = 500;
/** The user that tells is made for this and nothing else. */
const USER_LIFETIME_SECONDS = 120;
const INBOX = '_INBOX.push';

export interface PushOptions {
  /** Where the keys are. */
  readonly directory: string;
  readonly servers: readonly string[];
  /** With whose certificate to connect: what lies beside it. */
  readonly credentialsFile: string;
  readonly tls?: TlsFiles;
  readonly account: string;
  readonly accountJwt: string;
}

/** The running servers were not told, or one did not take it. What stands in files is not touched by this. */
export class PushError extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(`cannot tell the running bus: ${reason}`, options);
    this.name = 'PushError';
  }
}

/** Resolves with the names of the servers that have taken it. @throws PushError */
export async function pushAccount(options: PushOptions): Promise<readonly string[]> {
  const client = await connectAsSystem(options);
  try {
    return await tell(client, options);
  } finally {
    await client.close();
  }
}

const Answer = z.object({
  server: z.object({ name: z.string() }),
  data: z.object({ code: z.number(), message: z.string().optional() }).optional(),
  error: z.object({ code: z.number(), description: z.string() }).optional(),
});

async function tell(client: NatsConnection, { account, accountJwt }: PushOptions): Promise<readonly string[]> {
  const answers = await client.requestMany(`$SYS.REQ.ACCOUNT.${account}.CLAIMS.UPDATE`, accountJwt, {
    strategy: 'stall',
    maxWait: ANSWERS_WITHIN_MS,
    stall: NEXT_ANSWER_WITHIN_MS,
  });
  const names: string[] = [];
  for await (const message of answers) {
    const { server, error } = Answer.parse(message.json());
    if (error !== undefined) throw new PushError(`server '${server.name}' refused: ${error.description}`);
    names.push(server.name);
  }
  if (names.length === 0) throw new PushError('no server answered');
  return names;
}

async function connectAsSystem({ directory, servers, ...rest }: PushOptions): Promise<NatsConnection> {
  const file = join(directory, 'system.nk');
  const seed = await readIfPresent(file);
  if (seed === undefined) throw new PushError(`there is no '${file}': run this where the keys of the bus are`);
  const user = createUser();
  const jwt = await encodeUser(
    'push',
    user,
    fromSeed(new TextEncoder().encode(seed.trim())),
    { pub: { allow: ['$SYS.REQ.ACCOUNT.*.CLAIMS.UPDATE'] }, sub: { allow: [`${INBOX}.>`] } },
    { exp: Math.floor(Date.now() / 1_000) + USER_LIFETIME_SECONDS },
  );
  let last: unknown;
  for (const server of servers) {
    try {
      const tls = await tlsFor(server, rest);
      return await connect({
        servers: [server],
        authenticator: credsAuthenticator(fmtCreds(jwt, user)),
        ...(tls === undefined ? {} : { tls }),
        inboxPrefix: INBOX,
        name: 'muster-cli',
        reconnect: false,
        timeout: CONNECT_TIMEOUT_MS,
      });
    } catch (error) {
      last = tlsRefusal(server, isTlsAsked(server, rest), error) ?? error;
    }
  }
  throw new PushError(last instanceof Error ? last.message : String(last), { cause: last });
}
