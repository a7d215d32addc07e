import { existsSync, readFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { basename } from 'node:path';
import { Deadline, isId, messageOf } from '@muster/contracts';
import { type Bus, type BusProblem, BusRefusedError, openBus, readCredentialClaims } from '@muster/contracts/bus';
import { credentialsFile } from '@muster/contracts/files';
import type { Identity } from '@muster/contracts/keys';
import type { Settings } from '../config.ts';
import { CliError } from '../exit-codes.ts';

/** Whom a command speaks as, unless it is given the credentials of somebody else. */
export const OPERATOR: Identity = { role: 'operator', id: 'cli' };
export const ADMIN: Identity = { role: 'admin', id: 'setup' };

/** People wait for the answer: longer than a slow link needs, shorter than their patience. */
const CONNECT_TIMEOUT_MS = 5_000;

/**
 * Connects, or says why not. The caller disposes the bus. `onProblem` is told what is dropped or denied.
 * @throws CliError (busUnreachable), or (usage) when the credentials file can't be read.
 */
export async function connect(
  settings: Settings,
  identity: Identity,
  signal: AbortSignal,
  onProblem?: (problem: BusProblem) => void,
): Promise<Bus> {
  const { servers } = settings;
  checkGivenCredentials(settings);
  // openBus would try for ever; whether anybody listens at all is known at once, with the reason.
  const reasons = await Promise.all(servers.map((server) => whyUnreachable(server, signal)));
  if (reasons.every((reason) => reason !== undefined)) throw unreachable(servers, unique(reasons).join(', '));
  return await open(settings, identity, CONNECT_TIMEOUT_MS, signal, onProblem);
}

/** Like `connect`, but waits up to `waitMs` for a server that is still starting. */
export async function open(
  settings: Settings,
  identity: Identity,
  waitMs: number,
  signal: AbortSignal,
  onProblem: (problem: BusProblem) => void = () => {},
): Promise<Bus> {
  const { servers, environment, tls } = settings;
  checkGivenCredentials(settings);
  const file = credentialsOf(settings, identity);
  const bus = openBus({
    servers,
    credentialsFile: file,
    ...(tls !== undefined && { tls }),
    environment,
    ...identityOf(file),
    name: 'muster-cli',
    onProblem,
  });
  using deadline = new Deadline(waitMs, signal);
  try {
    await bus.connected(deadline.signal);
    return bus;
  } catch (error) {
    await bus[Symbol.asyncDispose]();
    throw unreachable(servers, reasonOf(error, waitMs), error);
  }
}

function checkGivenCredentials({ credentialsFile: given }: Settings): void {
  if (given === undefined || existsSync(given)) return;
  throw new CliError(
    'usage',
    `cannot read credentials '${given}': there is no such file: correct --creds or MUSTER_BUS_CREDENTIALS`,
  );
}

/** The file that a command signs in with. @throws CliError (busUnreachable) when there is none */
export function credentialsOf(settings: Settings, identity: Identity): string {
  const { credentialsFile: given, isBusGiven, keysDir, servers } = settings;
  if (given !== undefined) return given;
  const own = credentialsFile(keysDir, identity);
  if (existsSync(own)) return own;
  // Keys made here would be those of another bus.
  const advice = isBusGiven
    ? `type this on the machine that has the keys of that bus, or copy ${filesOf(own)} from there and name the first with --creds`
    : 'start Muster once (npm start), make them (muster bus keys), or name a file with --creds';
  throw new CliError(
    'busUnreachable',
    `cannot log in to the bus at ${servers.join(', ')}: there are no credentials in '${own}': ${advice}`,
  );
}

/** What is copied together: the credentials, and what TLS needs beside them. */
function filesOf(credentials: string): string {
  const name = basename(credentials);
  const stem = name.replace(/\.creds$/u, '');
  return `${name}, ${stem}.crt, ${stem}.key and ca.crt`;
}

/** Whose credentials these are: their JWT is named `<role>/<id>`. The bus lets each identity listen on its own inbox only. */
function identityOf(file: string): Identity {
  const { role, id = '' } = readCredentialClaims(readFileSync(file, 'utf8')) ?? {};
  if (role === undefined || !isId(id)) {
    throw new CliError(
      'usage',
      `cannot use credentials '${file}': they are not of muster bus keys: name others with --creds`,
    );
  }
  return { role, id };
}

function unreachable(servers: readonly string[], reason: string, cause?: unknown): CliError {
  const isRefusal = cause instanceof BusRefusedError;
  const advice = isRefusal ? cause.advice : 'is Muster running? start it with npm start';
  const why = isRefusal ? cause.reason : reason;
  return new CliError('busUnreachable', `cannot reach the bus at ${servers.join(', ')}: ${why}; ${advice}`, { cause });
}

function reasonOf(error: unknown, waitMs: number): string {
  if (error instanceof Error && error.name === 'TimeoutError') return `no connection within ${waitMs / 1_000} s`;
  return messageOf(error);
}

const TCP_REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ENOTFOUND: 'no such host name',
  EAI_AGAIN: 'its host name cannot be resolved now',
  EHOSTUNREACH: 'no route to that host',
  ENETUNREACH: 'no route to that network',
};

/** Why nobody accepts connections at `server`, or undefined when somebody does. */
async function whyUnreachable(server: string, signal: AbortSignal): Promise<string | undefined> {
  const address = server.includes('://') ? server : `nats://${server}`;
  if (!URL.canParse(address)) return `'${server}' is no address`;
  const { hostname, port } = new URL(address);
  const host = hostname.replace(/^\[|\]$/gu, '');
  using deadline = new Deadline(CONNECT_TIMEOUT_MS, signal);
  const given = deadline.signal;
  return await new Promise((resolve) => {
    const socket = connectTcp({ host, port: Number(port || DEFAULT_PORT), signal: given });
    socket.once('connect', () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      resolve(given.aborted ? `no answer within ${CONNECT_TIMEOUT_MS / 1_000} s` : describe(error));
    });
  });
}

const DEFAULT_PORT = 4222;

function describe(error: NodeJS.ErrnoException): string {
  // A name with several addresses fails with one error per address.
  const [first] = error instanceof AggregateError ? (error.errors as NodeJS.ErrnoException[]) : [error];
  const code = first?.code ?? error.code ?? '';
  return TCP_REASONS[code] ?? first?.message ?? code;
}

function unique(reasons: readonly (string | undefined)[]): string[] {
  return [...new Set(reasons.filter((reason) => reason !== undefined))];
}
