import { X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import { inUrl, isLoopbackHost, type RetentionChanges } from '@muster/contracts';
import type { SignedRevocations } from '@muster/contracts/bus';
import { credentialsFile, oldFile, tlsFilesBeside } from '@muster/contracts/files';
import {
  furtherServersIn,
  type Identity,
  isCertifiedFor,
  mintCertificates,
  mintKeys,
  serverTlsFiles,
} from '@muster/contracts/keys';
import { type BusFiles, expectBusKeys, makeBusFiles } from '../bus/files.ts';
import { ownAddresses } from '../bus/own-names.ts';
import type { Settings } from '../config.ts';
import { CliError } from '../exit-codes.ts';
import { formatJoinToken } from './join-token.ts';
import { voidKeysOf } from './void-keys.ts';

export interface AddedHost {
  /** As the other host reaches the bus. */
  readonly url: string;
  readonly token: string;
  /** It had no credentials before. */
  readonly isNew: boolean;
  /** Its earlier keys count no more, as far as files say; the servers, and everybody, are to be told. */
  readonly voided?: { readonly revocations: SignedRevocations; readonly files: BusFiles };
}

export interface AddHostOptions {
  readonly settings: Settings;
  /** What the streams keep: it goes into nats-server's configuration. */
  readonly retention: RetentionChanges;
  /** The line of the key that it has, instead of a new key. */
  readonly isKeyKept: boolean;
}

/**
 * Makes what the agent of another host needs. A host that was added before gets a new key, and the earlier one is void, so
 * that a line which went astray is worth nothing. Files only, no network. @throws CliError
 */
export async function addHost(host: string, { settings, retention, isKeyKept }: AddHostOptions): Promise<AddedHost> {
  const { environment, keysDir } = settings;
  if (host === settings.hostId) {
    throw new CliError('usage', `cannot add '${host}': that is this host, which belongs to its bus already`);
  }
  expectBusKeys(settings, `add '${host}'`);
  const url = busUrlFor(host, settings);
  const identity: Identity = { role: 'agent', id: host };
  const creds = credentialsFile(keysDir, identity);
  const isNew = ![creds, oldFile(creds)].some((file) => existsSync(file));
  if (isNew && isKeyKept) {
    throw new CliError('notFound', `cannot keep the key of '${host}': no such host was added here`);
  }
  // Nothing is made void for an address that is refused.
  const isTls = await expectReachable(url, host, settings);
  const voided = isNew || isKeyKept ? undefined : await voidKeysOf(identity, 'added again', settings);
  await mintKeys({ directory: keysDir, environment, identities: [identity] });
  const files = voided === undefined ? undefined : await makeBusFiles(settings, [identity], retention);
  const tls = isTls ? await tlsOf(identity, settings) : undefined;
  const token = formatJoinToken({
    environment,
    host,
    url,
    creds: await readFile(creds, 'utf8'),
    ...(tls !== undefined && { tls }),
  });
  if (voided === undefined || files === undefined) return { url, token, isNew };
  return { url, token, isNew, voided: { revocations: voided.revocations, files } };
}

/** The addresses that were given, else the one of this machine that others are likely to reach. */
function busUrlFor(host: string, { listen, names, servers, isBusGiven }: Settings): string {
  if (isBusGiven) return servers.join(',');
  if (isLoopbackHost(listen.host)) {
    throw new CliError(
      'failed',
      `cannot add '${host}': the bus listens on ${listen.host} only: set bus.listen in config/agent.yaml to an address that '${host}' reaches, such as 0.0.0.0:${listen.port}, and run npm start again; or say with --url how it reaches a server elsewhere`,
    );
  }
  const isAny = listen.host === '0.0.0.0' || listen.host === '::';
  const address = isAny ? (names[0] ?? ownAddresses().find(isIPv4) ?? ownAddresses()[0]) : listen.host;
  if (address === undefined) {
    throw new CliError(
      'failed',
      `cannot add '${host}': this machine has no address but loopback: say with --url how '${host}' reaches the bus`,
    );
  }
  return `tls://${inUrl(address)}:${listen.port}`;
}

/** True when it needs a certificate of this bus's own: not without TLS, or with those of somebody else. @throws CliError */
async function expectReachable(url: string, host: string, { keysDir, isBusGiven }: Settings): Promise<boolean> {
  const cannot = (why: string) => new CliError('failed', `cannot add '${host}': ${why}`);
  const servers = await certificatesOfServers(keysDir);
  const addresses = url.split(',').filter((address) => URL.canParse(address));
  const [problem] = addresses.map((address) => problemOf(address, servers)).filter((reason) => reason !== undefined);
  if (problem !== undefined) throw cannot(problem);
  if (!addresses.some((address) => address.startsWith('tls://'))) return false;
  if (servers.length > 0) return true;
  if (isBusGiven) return false;
  throw cannot('the bus has no certificate yet: run npm start again, which makes it');
}

async function tlsOf(identity: Identity, { keysDir, environment }: Settings) {
  await mintCertificates({ directory: keysDir, environment, identities: [identity] });
  const { caFile, certFile, keyFile } = tlsFilesBeside(credentialsFile(keysDir, identity));
  const [ca, cert, key] = await Promise.all([caFile, certFile, keyFile].map((file) => readFile(file, 'utf8')));
  return { ca: ca ?? '', cert: cert ?? '', key: key ?? '' };
}

/** Why nobody could connect there, as far as the certificates of the servers tell. */
function problemOf(address: string, servers: readonly X509Certificate[]): string | undefined {
  const name = new URL(address).hostname.replace(/^\[|\]$/gu, '');
  const isOurs = servers.some((certificate) => isCertifiedFor(certificate, name));
  const isTls = address.startsWith('tls://');
  if (!isTls && isOurs && !isLoopbackHost(name)) {
    return `the bus speaks TLS only at '${name}': write tls:// instead of '${address}'`;
  }
  if (isTls && !isOurs && servers.length > 0) {
    return `the bus has no certificate for '${name}': add it to bus.names in config/agent.yaml and run npm start again, or, for a server of 'muster bus server' or 'muster bus leaf', name it there with --name`;
  }
  return undefined;
}

/** Of the embedded server, and of those elsewhere. */
async function certificatesOfServers(keysDir: string): Promise<readonly X509Certificate[]> {
  const files = ['server', ...(await furtherServersIn(keysDir)).map(({ file }) => file)]
    .map((file) => serverTlsFiles(keysDir, file).certFile)
    .filter((file) => existsSync(file));
  return await Promise.all(files.map(async (file) => new X509Certificate(await readFile(file))));
}
