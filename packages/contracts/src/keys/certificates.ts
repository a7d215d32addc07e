/*
 * The certificates of a bus that is reached from other machines, as files, without a network.
 *
 * An authority of this bus alone signs one certificate for each server and one for each identity, so that both ends prove
 * themselves; a server of a cluster or of a site connects to others as well, so its certificate serves both ways. What an
 * identity may do is not in it: the JWT says that, and a revoked JWT ends a connection whatever certificate it came with.
 * Repeatable as the keys are: what still says what it must is kept, what ends soon is made anew.
 */
import { X509Certificate as NodeCertificate, randomBytes, webcrypto } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { basename, join } from 'node:path';
import type * as X509 from '@peculiar/x509';
import type { TlsFiles } from '../bus-address.ts';
import { readIfPresent, replaceFile } from '../files/replace-file.ts';
import { credentialsFile, oldFile, tlsFilesBeside } from '../files/state-layout.ts';
import type { Identity } from './identities.ts';
import { KeyFileError } from './key-files.ts';

const DAY_MS = 86_400_000;
/** Of the authority, and of what it signs. Nobody outside this bus trusts it, so no public rule asks for less. */
export const CA_LIFETIME_DAYS = 3_650;
export const CERTIFICATE_LIFETIME_DAYS = 1_095;
/** What ends sooner than this is made anew. */
export const RENEW_BEFORE_DAYS = 30;
/** Clocks of hosts differ: a certificate is valid a little before it was made. */
const BACKDATED_MS = DAY_MS;

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
/** RFC 5280, 4.2.1.12. */
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

/** A nats-server that runs elsewhere than where its certificate is made. */
export interface FurtherServer {
  /** What its files are named: `server-<name>` of a cluster, `leaf-<site>` of a site. */
  readonly file: string;
  /** Names and addresses by which clients and other servers reach it. */
  readonly names: readonly string[];
}

export interface CertificateOptions {
  /** Where the keys are. */
  readonly directory: string;
  readonly environment: string;
  /** Names and addresses by which clients reach the server; without them its certificate is left as it is. */
  readonly serverNames?: readonly string[];
  /** Of clusters and sites. */
  readonly furtherServers?: readonly FurtherServer[];
  readonly identities: readonly Identity[];
  /** Default: the clock's. */
  readonly now?: Date;
}

export interface MintedCertificates {
  /** Paths of what was made. */
  readonly created: readonly string[];
  readonly kept: readonly string[];
}

/** A server's own files; by default those of the embedded one. */
export function serverTlsFiles(directory: string, file = 'server'): Required<TlsFiles> {
  return tlsFilesBeside(join(directory, `${file}.creds`));
}

/** The servers of clusters and sites that have certificates in this directory, with the names that these are for. @throws KeyFileError */
export async function furtherServersIn(directory: string): Promise<readonly FurtherServer[]> {
  const files = (await readdir(directory)).filter((name) => /^(server|leaf)-.+\.crt$/.test(name)).sort();
  return await Promise.all(
    files.map(async (name) => {
      const path = join(directory, name);
      return { file: basename(name, '.crt'), names: altNamesOf(certificateFrom(path, await readFile(path, 'utf8'))) };
    }),
  );
}

/** Makes what is missing, ends within 30 days or lacks a name. Files are 0600. @throws KeyFileError */
export async function mintCertificates(options: CertificateOptions): Promise<MintedCertificates> {
  const { directory, environment, serverNames, furtherServers = [], identities, now = new Date() } = options;
  // Loaded here: only this needs it, and its loading takes longer than all the rest of a start.
  await import('reflect-metadata');
  const mint = new CertificateMint(await import('@peculiar/x509'), now);
  const ca = await mint.authority(join(directory, 'ca.crt'), join(directory, 'ca.key'), `Muster ${environment}`);
  if (serverNames !== undefined) {
    const server = { name: `Muster ${environment} bus`, usages: [SERVER_AUTH], altNames: serverNames };
    await mint.certificate(serverTlsFiles(directory), ca, server);
  }
  for (const { file, names } of furtherServers) {
    const server = { name: `Muster ${environment} ${file}`, usages: [SERVER_AUTH, CLIENT_AUTH], altNames: names };
    await mint.certificate(serverTlsFiles(directory, file), ca, server);
  }
  for (const identity of identities) {
    const files = tlsFilesBeside(credentialsFile(directory, identity));
    await mint.certificate(files, ca, { name: `${identity.role}/${identity.id}`, usages: [CLIENT_AUTH], altNames: [] });
  }
  return { created: mint.created, kept: mint.kept };
}

interface Authority {
  readonly pem: string;
  readonly certificate: NodeCertificate;
  readonly key: webcrypto.CryptoKey;
  /** The one before it, while it is being replaced. */
  readonly old: NodeCertificate | undefined;
}

interface Subject {
  readonly name: string;
  readonly usages: readonly string[];
  readonly altNames: readonly string[];
}

/** The files of one run, and what became of them. */
class CertificateMint {
  readonly created: string[] = [];
  readonly kept: string[] = [];
  readonly #x509: typeof X509;
  readonly #now: Date;

  constructor(x509: typeof X509, now: Date) {
    this.#x509 = x509;
    this.#now = now;
  }

  /** While one is being replaced, the one before it (`ca.crt.old`) is trusted beside it. */
  async authority(certFile: string, keyFile: string, name: string): Promise<Authority> {
    const [bundle, keyPem, oldPem] = [certFile, keyFile, oldFile(certFile)].map(readIfPresent);
    const isThere = bundle !== undefined && keyPem !== undefined;
    const made = isThere
      ? { pem: firstPem(bundle), key: await signingKeyFrom(keyFile, keyPem) }
      : await this.#newAuthority(keyFile, name);
    const text = `${made.pem}\n${oldPem === undefined ? '' : `${firstPem(oldPem)}\n`}`;
    if (isThere) this.kept.push(keyFile);
    if (text === bundle) this.kept.push(certFile);
    else this.#write(certFile, text);
    const old = oldPem === undefined ? undefined : certificateFrom(oldFile(certFile), oldPem);
    return { ...made, certificate: certificateFrom(certFile, made.pem), old };
  }

  async #newAuthority(keyFile: string, name: string): Promise<Pick<Authority, 'pem' | 'key'>> {
    const { KeyUsageFlags, KeyUsagesExtension, BasicConstraintsExtension, SubjectKeyIdentifierExtension } = this.#x509;
    const keys = await newKeys();
    const certificate = await this.#x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: serialNumber(),
      // Two authorities of one environment must not bear one name: what they signed is told apart by it.
      name: [{ CN: [`${name} ${serialNumber().slice(0, 8)}`] }],
      ...this.#lifetime(CA_LIFETIME_DAYS),
      signingAlgorithm: ALGORITHM,
      keys,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        await SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    this.#write(keyFile, await privateKeyPem(keys.privateKey));
    return { pem: certificate.toString('pem'), key: keys.privateKey };
  }

  async certificate({ certFile, keyFile }: Required<TlsFiles>, ca: Authority, subject: Subject): Promise<void> {
    const [pem, keyPem] = [readIfPresent(certFile), readIfPresent(keyFile)];
    if (pem !== undefined && keyPem !== undefined && this.#isGood(certificateFrom(certFile, pem), ca, subject)) {
      this.kept.push(certFile, keyFile);
      return;
    }
    const { KeyUsageFlags, KeyUsagesExtension, BasicConstraintsExtension, ExtendedKeyUsageExtension } = this.#x509;
    const { AuthorityKeyIdentifierExtension, SubjectAlternativeNameExtension, X509Certificate } = this.#x509;
    const keys = await newKeys();
    const issuer = new X509Certificate(ca.pem);
    const altNames = subject.altNames.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value }) as const);
    const certificate = await this.#x509.X509CertificateGenerator.create({
      serialNumber: serialNumber(),
      subject: [{ CN: [subject.name] }],
      issuer: issuer.subject,
      ...this.#lifetime(CERTIFICATE_LIFETIME_DAYS, issuer.notAfter),
      signingAlgorithm: ALGORITHM,
      publicKey: keys.publicKey,
      signingKey: ca.key,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([...subject.usages]),
        await AuthorityKeyIdentifierExtension.create(issuer.publicKey),
        ...(altNames.length > 0 ? [new SubjectAlternativeNameExtension(altNames)] : []),
      ],
    });
    this.#write(keyFile, await privateKeyPem(keys.privateKey));
    this.#write(certFile, `${certificate.toString('pem')}\n`);
  }

  /** Signed by this authority, for long enough, and for each name that it must be for. */
  #isGood(certificate: NodeCertificate, { certificate: ca, old }: Authority, { altNames, usages }: Subject): boolean {
    const endsInMs = Date.parse(certificate.validTo) - this.#now.getTime();
    // As long as clients may not know the new authority, a server shows what the old one signed.
    const isByOld = usages.includes(SERVER_AUTH) && old !== undefined && certificate.verify(old.publicKey);
    const isSigned = certificate.verify(ca.publicKey) || isByOld;
    return (
      endsInMs > RENEW_BEFORE_DAYS * DAY_MS && isSigned && altNames.every((name) => isCertifiedFor(certificate, name))
    );
  }

  #lifetime(days: number, end?: Date): { notBefore: Date; notAfter: Date } {
    const wanted = this.#now.getTime() + days * DAY_MS;
    return {
      notBefore: new Date(this.#now.getTime() - BACKDATED_MS),
      notAfter: new Date(end === undefined ? wanted : Math.min(wanted, end.getTime())),
    };
  }

  #write(file: string, text: string): void {
    replaceFile(file, text);
    this.created.push(file);
  }
}

async function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

async function privateKeyPem(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  return `-----BEGIN PRIVATE KEY-----\n${der.toString('base64').replace(/.{64}/g, '$&\n').trimEnd()}\n-----END PRIVATE KEY-----\n`;
}

async function signingKeyFrom(file: string, pem: string): Promise<webcrypto.CryptoKey> {
  const der = Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64');
  try {
    return await webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, false, ['sign']);
  } catch (error) {
    throw new KeyFileError(file, error);
  }
}

/** Of several certificates in one file, the first. */
function firstPem(bundle: string): string {
  return /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.exec(bundle)?.[0] ?? bundle;
}

function certificateFrom(file: string, pem: string): NodeCertificate {
  try {
    return new NodeCertificate(pem);
  } catch (error) {
    throw new KeyFileError(file, error);
  }
}

/** By name or by address, whichever `name` is. */
export function isCertifiedFor(certificate: NodeCertificate, name: string): boolean {
  return (isIP(name) === 0 ? certificate.checkHost(name) : certificate.checkIP(name)) !== undefined;
}

function altNamesOf({ subjectAltName = '' }: NodeCertificate): readonly string[] {
  return [...subjectAltName.matchAll(/(?:DNS|IP Address):([^,\s]+)/g)].map(([, name = '']) => name);
}

/** Positive, so its first bit is 0. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}
