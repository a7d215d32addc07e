import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Deadline } from '@muster/contracts';
import { PushError, pushAccount } from '@muster/contracts/admin';
import { publishRevocations, type SignedRevocations } from '@muster/contracts/bus';
import { type ForgetOutcome, forgetHost } from '@muster/contracts/client';
import { credentialsFile } from '@muster/contracts/files';
import type { BusTrust } from '@muster/contracts/keys';
import type { Settings } from '../config.ts';
import { CliError } from '../exit-codes.ts';
import { ADMIN, open } from './connect.ts';

/**
 * Tells every running server what its configuration says by now of the fleet's account: who was revoked is cut off at once.
 * Resolves with the names of the servers. @throws CliError (busUnreachable)
 */
export async function tellServers(
  settings: Settings,
  { accounts, systemAccount }: BusTrust,
): Promise<readonly string[]> {
  const { keysDir, servers, tls } = settings;
  const [account = '', accountJwt = ''] = Object.entries(accounts).find(([key]) => key !== systemAccount) ?? [];
  const push = (jwt: string) =>
    pushAccount({
      directory: keysDir,
      servers,
      credentialsFile: credentialsFile(keysDir, ADMIN),
      ...(tls !== undefined && { tls }),
      account,
      accountJwt: jwt,
    });
  const written = async () => (await readFile(join(keysDir, 'account.jwt'), 'utf8').catch(() => '')).trim();
  try {
    let told = await push(accountJwt);
    // Somebody may have revoked more, and told it, just before: then the servers have to hear that again.
    for (let last = accountJwt, now = await written(); now !== '' && now !== last; now = await written()) {
      told = await push(now);
      last = now;
    }
    return told;
  } catch (error) {
    if (!(error instanceof PushError)) throw error;
    throw new CliError(
      'busUnreachable',
      `${error.message}; its configuration says it already: restart nats-server, or do this again when the bus is up`,
      { cause: error },
    );
  }
}

/** The bus may be restarting just now. */
const CONNECT_TIMEOUT_MS = 20_000;

/** Tells everybody which keys count no more. @throws CliError (busUnreachable) */
export async function tellEverybody(
  settings: Settings,
  revocations: SignedRevocations,
  signal: AbortSignal,
): Promise<void> {
  await using bus = await open(settings, ADMIN, CONNECT_TIMEOUT_MS, signal);
  await publishRevocations(bus, revocations);
}

/** Three missed heartbeats, on a machine that has much to do. */
const SILENCE_TIMEOUT_MS = 30_000;

/**
 * Has the leading prober take away what is stored of a host, once it is silent. `still-heard`: it is not, although it was
 * turned out. @throws CliError (busUnreachable)
 */
export async function forgetStored(
  host: string,
  settings: Settings,
  signal: AbortSignal,
): Promise<ForgetOutcome | { readonly outcome: 'still-heard' }> {
  await using bus = await open(settings, ADMIN, CONNECT_TIMEOUT_MS, signal);
  using deadline = new Deadline(SILENCE_TIMEOUT_MS, signal);
  try {
    return await forgetHost({ bus, actor: settings.actor }, host, deadline.signal);
  } catch (error) {
    if (signal.aborted || !deadline.signal.aborted) throw error;
    return { outcome: 'still-heard' };
  }
}
