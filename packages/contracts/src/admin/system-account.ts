import { join } from 'node:path';
import { createUser, encodeUser, fmtCreds, fromSeed } from '@nats-io/jwt';
import { connect, credsAuthenticator, type NatsConnection } from '@nats-io/transport-node';
import { isTlsAsked, tlsFor, tlsRefusal } from '../bus/tls.ts';
import type { TlsFiles } from '../bus-address.ts';
import { readIfPresent } from '../files/replace-file.ts';
import { messageOf } from '../message-of.ts';

const CONNECT_TIMEOUT_MS = 5_000;
/** The user is made for one connection: what is stolen of it later opens none. */
const USER_LIFETIME_SECONDS = 120;
const INBOX = '_INBOX.system';
const SYSTEM_KEY_FILE = 'system.nk';

export interface SystemAccountOptions {
  /** Where the keys are. */
  readonly directory: string;
  readonly servers: readonly string[];
  /** With whose certificate to connect: what lies beside it. */
  readonly credentialsFile: string;
  readonly tls?: TlsFiles;
}

/** The key of the account that is the servers' own; `undefined` where it does not lie. */
function systemSeed(directory: string): string | undefined {
  return readIfPresent(join(directory, SYSTEM_KEY_FILE))?.trim();
}

/**
 * Connects over the account that is the servers' own, to ask what stands in `publish` and nothing else. The server closes it
 * after two minutes. @throws Error with why no server was reached
 */
export async function connectAsSystem(
  { directory, servers, ...rest }: SystemAccountOptions,
  publish: readonly string[],
): Promise<NatsConnection> {
  const seed = systemSeed(directory);
  if (seed === undefined) {
    throw new Error(`there is no '${join(directory, SYSTEM_KEY_FILE)}': run this where the keys of the bus are`);
  }
  const user = createUser();
  const jwt = await encodeUser(
    'system',
    user,
    fromSeed(new TextEncoder().encode(seed)),
    { pub: { allow: [...publish] }, sub: { allow: [`${INBOX}.>`] } },
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
  throw new Error(messageOf(last), { cause: last });
}
