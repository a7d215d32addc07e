import { inUrl, type TlsFiles } from '../bus-address.ts';
import { MAX_MESSAGE_BYTES } from '../envelope.ts';
import { type RetentionChanges, streamDefinitions } from '../streams.ts';
import { readIfPresent, writePrivateFile } from './atomic-file.ts';
import type { BusTrust } from './keys.ts';

/**
 * A client's first line carries its JWT, which names each subject that it may use: a reader's is larger than the
 * server's default of 4 KiB.
 */
export const CONTROL_LINE_BYTES = 64 * 1024;
/** Room for the buckets, which have no bound of their own. */
const BUCKETS_BYTES = 2 * 1024 ** 3;

export interface NatsServerOptions {
  readonly environment: string;
  readonly host: string;
  readonly port: number;
  /** Where JetStream keeps its data. */
  readonly storeDir: string;
  readonly trust: BusTrust;
  /** What the streams keep, where it is not the default. */
  readonly retention?: RetentionChanges;
  /** Where the server writes its pid. */
  readonly pidFile?: string;
  /** Paths; given, the server speaks TLS only, and lets in only who has a certificate of the same CA. */
  readonly tls?: Required<TlsFiles>;
}

/**
 * How much JetStream must be allowed to store. A server refuses a stream whose bound does not fit, however little is in
 * it, and by default allows three quarters of what is free on its disk: less than this on a small one.
 */
export function requiredStoreBytes(environment: string, retention?: RetentionChanges): number {
  return streamDefinitions(environment, retention).reduce((sum, { maxBytes }) => sum + maxBytes, BUCKETS_BYTES);
}

/** The configuration of one nats-server that knows this bus's identities. It holds no secrets. */
export function natsServerConfig({
  environment,
  host,
  port,
  storeDir,
  trust,
  retention,
  pidFile,
  tls,
}: NatsServerOptions): string {
  return `# Written by 'muster bus keys', and again whenever that runs.
server_name: ${quote(`muster-${environment}`)}
listen: ${quote(`${inUrl(host)}:${port}`)}
max_payload: ${2 * MAX_MESSAGE_BYTES}
max_control_line: ${CONTROL_LINE_BYTES}
${pidFile === undefined ? '' : `pid_file: ${quote(pidFile)}\n`}
jetstream {
  store_dir: ${quote(storeDir)}
  max_file_store: ${requiredStoreBytes(environment, retention)}
}
${tls === undefined ? '' : tlsBlock(tls)}
operator: ${quote(trust.operatorJwt)}
system_account: ${quote(trust.systemAccount)}
resolver: MEMORY
resolver_preload: {
${Object.entries(trust.accounts)
  .map(([account, jwt]) => `  ${account}: ${quote(jwt)}`)
  .join('\n')}
}
`;
}

/** The handshake's default of 2 s is short for a machine under load. */
const TLS_TIMEOUT_SECONDS = 10;

function tlsBlock({ certFile, keyFile, caFile }: Required<TlsFiles>): string {
  return `
tls {
  cert_file: ${quote(certFile)}
  key_file: ${quote(keyFile)}
  ca_file: ${quote(caFile)}
  verify: true
  timeout: ${TLS_TIMEOUT_SECONDS}
}
`;
}

/** Writes the configuration where it is missing or differs. */
export async function writeNatsServerConfig(
  file: string,
  options: NatsServerOptions,
): Promise<'written' | 'unchanged'> {
  const text = natsServerConfig(options);
  if ((await readIfPresent(file)) === text) return 'unchanged';
  await writePrivateFile(file, text);
  return 'written';
}

function quote(text: string): string {
  return JSON.stringify(text);
}
