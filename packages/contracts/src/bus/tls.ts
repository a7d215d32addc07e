/*
 * TLS of one connection: with what, and why it did not come about.
 *
 * The scheme decides: `tls://` is TLS or nothing, so that nobody between the two ends can talk a client out of it. There
 * is no option that skips a check. Files are read for each connection, so that renewed ones need no restart.
 */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import type { TlsOptions } from '@nats-io/transport-node';
import type { TlsFiles } from '../bus-address.ts';
import { readIfPresent } from '../files/replace-file.ts';
import { tlsFilesBeside } from '../files/state-layout.ts';
import type { BusOptions } from './bus.ts';
import { BusRefusedError } from './errors.ts';

/** What the client library hands on to Node's `tls.connect`. */
interface ConnectTls extends TlsOptions {
  checkServerIdentity(host: string, certificate: PeerCertificate): Error | undefined;
}

/** Is it TLS or nothing? */
export function isTlsAsked(server: string, { tls }: Pick<BusOptions, 'tls'>): boolean {
  return tls !== undefined || server.startsWith('tls://');
}

/** What to connect to `server` with; `undefined` when nobody asked for TLS. @throws BusRefusedError when a file can't be read */
export async function tlsFor(
  server: string,
  options: Pick<BusOptions, 'tls' | 'credentialsFile'>,
): Promise<ConnectTls | undefined> {
  if (!isTlsAsked(server, options)) return undefined;
  const { tls, credentialsFile } = options;
  const pem = tls === undefined ? readBeside(credentialsFile) : readGiven(server, tls);
  const name = hostOf(server);
  return {
    ...pem,
    // Left to itself, Node compares a certificate with `localhost` where the server is named by an IP address.
    checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate),
  };
}

function readBeside(credentialsFile: string | undefined): TlsOptions {
  if (credentialsFile === undefined) return {};
  const { caFile, certFile, keyFile } = tlsFilesBeside(credentialsFile);
  const [ca, cert, key] = [caFile, certFile, keyFile].map(readIfPresent);
  return { ...(ca !== undefined && { ca }), ...(cert !== undefined && key !== undefined && { cert, key }) };
}

function readGiven(server: string, { caFile, certFile, keyFile }: TlsFiles): TlsOptions {
  const read = (file: string): string => {
    try {
      return readFileSync(file, 'utf8');
    } catch (error) {
      const advice = 'correct the path in bus.tls, or make the file readable';
      throw new BusRefusedError([server], `cannot read '${file}'`, { cause: error, advice });
    }
  };
  return {
    ...(caFile !== undefined && { ca: read(caFile) }),
    ...(certFile !== undefined && { cert: read(certFile) }),
    ...(keyFile !== undefined && { key: read(keyFile) }),
  };
}

function hostOf(server: string): string {
  const { hostname } = new URL(server.includes('://') ? server : `nats://${server}`);
  return hostname.replace(/^\[|\]$/g, '');
}

/** Why TLS was not agreed on; `undefined` when the error is about something else. */
export function tlsRefusal(server: string, isAsked: boolean, error: unknown): BusRefusedError | undefined {
  const refuse = (reason: string, advice: string) => new BusRefusedError([server], reason, { cause: error, advice });
  if (error instanceof Error && error.message.includes("does not support 'tls'")) {
    return refuse('it does not speak TLS', 'write nats:// if that network is to be trusted, or set up TLS there');
  }
  const { code, message } = coded(error);
  const alert = /ALERT_(?<alert>[A-Z_]+)$/.exec(code)?.groups?.['alert']?.toLowerCase().replaceAll('_', ' ');
  if (!isAsked && (CHAIN.has(code) || code === 'ERR_TLS_CERT_ALTNAME_INVALID' || WANTS_CLIENT.test(code))) {
    return refuse('it wants TLS', 'write tls:// instead of nats://, and its CA in bus.tls.ca');
  }
  if (CHAIN.has(code)) {
    return refuse(
      `its certificate is of no authority that is trusted here (${code})`,
      'name the file with the CA of that bus in bus.tls.ca; if it is the right one, somebody else answers there',
    );
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const host = hostOf(server);
    const names = altNames(error);
    return refuse(
      `its certificate is not for '${host}'${names === '' ? '' : ` but for ${names}`}`,
      `write one of those names, or add ${isIP(host) === 0 ? 'the name' : 'the address'} where the certificate is made: to bus.names in config/agent.yaml, then 'muster bus keys'; or with --name to that server's 'muster bus server' or 'muster bus leaf'`,
    );
  }
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    const what = code === 'CERT_HAS_EXPIRED' ? 'has expired' : 'is not valid yet';
    return refuse(
      `its certificate ${what}`,
      "look at this machine's clock; else run 'muster bus keys' on the host that has the keys of the bus",
    );
  }
  if (WANTS_CLIENT.test(code)) {
    return refuse(
      `it wants a certificate of its own CA and was shown none (${alert})`,
      'name one, and its key, in bus.tls.cert and bus.tls.key, or put them beside the creds file',
    );
  }
  if (code.startsWith('ERR_OSSL_') || code.startsWith('ERR_SSL_')) {
    return refuse(`TLS failed: ${alert ?? message.trim()}`, 'check the files in bus.tls');
  }
  return undefined;
}

/** No trusted authority stands behind the certificate. */
const CHAIN = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
]);
/** Alerts with which a server turns a client's certificate down, or the lack of one. */
const WANTS_CLIENT = /ALERT_(CERTIFICATE_REQUIRED|BAD_CERTIFICATE|UNKNOWN_CA|CERTIFICATE_EXPIRED|CERTIFICATE_UNKNOWN)$/;

/** The first error with a code, along the causes. */
function coded(error: unknown): { readonly code: string; readonly message: string } {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ('code' in at && typeof at.code === 'string') return { code: at.code, message: at.message };
  }
  return { code: '', message: '' };
}

/** What a certificate is for, as Node tells it in its error. */
function altNames(error: unknown): string {
  for (let at = error; at instanceof Error; at = at.cause) {
    const { cert } = at as { cert?: PeerCertificate };
    if (cert?.subjectaltname !== undefined) return cert.subjectaltname.replaceAll(/(DNS|IP Address):/g, '');
  }
  return '';
}
