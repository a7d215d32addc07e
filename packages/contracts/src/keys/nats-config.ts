import { requiredStoreBytes } from '../admin/wanted-streams.ts';
import { inUrl, type TlsFiles } from '../bus-address.ts';
import { MAX_MESSAGE_BYTES } from '../envelope.ts';
import { readIfPresent, replaceFile } from '../files/replace-file.ts';
import type { RetentionChanges } from '../streams.ts';
import type { BusTrust } from './mint.ts';

/**
 * A client's first line carries its JWT, which names each subject that it may use: a reader's is larger than the
 * server's default of 4 KiB.
 */
export const CONTROL_LINE_BYTES = 64 * 1024;

/** Ten dashboards and a fleet of 10,000 hosts, with room; what knocks without credentials counts too, until it is turned away. */
const MAX_CONNECTIONS = 16_384;

/** Where a server is reached. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

/** Where a server listens. */
export interface Listener extends ServerAddress {
  /** Paths; given, it speaks TLS only, and lets in only who has a certificate of the same CA. */
  readonly tls?: Required<TlsFiles>;
}

/** What a server must know to be one of a cluster. */
export interface ClusterOptions {
  /** Its `tls` is also what this server shows to the others, and what it verifies them with. */
  readonly listen: Listener;
  /** The other servers' `listen`; naming itself as well does no harm, so all may be given the same list. */
  readonly routes: readonly ServerAddress[];
  /** The same for all of them: without it whoever reaches the port could join, and read everything. */
  readonly password: string;
}

interface CommonOptions extends Listener {
  readonly environment: string;
  readonly trust: BusTrust;
  /** What the streams keep, where it is not the default. */
  readonly retention?: RetentionChanges;
  /** Where the server writes its pid. */
  readonly pidFile?: string;
}

export interface NatsServerOptions extends CommonOptions {
  /** Where JetStream keeps its data. */
  readonly storeDir: string;
  /** Unique within a cluster; default `muster-<environment>`. */
  readonly serverName?: string;
  readonly cluster?: ClusterOptions;
  /** Where servers of other sites join as leaf nodes. */
  readonly leafNodes?: Listener;
}

/** A server at a site, for the clients there; the hub keeps all streams. */
export interface LeafServerOptions extends CommonOptions {
  readonly site: string;
  /** Where the servers of the hub accept leaf nodes. */
  readonly hub: readonly ServerAddress[];
  /** Paths of what this server shows there, and verifies the hub with; given, the link is TLS or none. */
  readonly hubTls?: Required<TlsFiles>;
  /** The creds of this site's server, see `mintKeys`. */
  readonly credentialsFile: string;
}

/** One user name for all routes: the password is what counts. */
const ROUTE_USER = 'route';

/**
 * The configuration of one nats-server that knows this bus's identities. It holds no secrets, but for the password of a
 * cluster's routes.
 */
export function natsServerConfig(options: NatsServerOptions): string {
  const { environment, storeDir, trust, retention, cluster, leafNodes } = options;
  const { serverName = `muster-${environment}` } = options;
  return `${general(serverName, options)}
jetstream {
  store_dir: ${quote(storeDir)}
  max_file_store: ${requiredStoreBytes(environment, retention)}
}
${cluster === undefined ? '' : clusterBlock(environment, cluster)}${leafNodes === undefined ? '' : leafNodesBlock(leafNodes, trust)}
${trustBlock(trust)}`;
}

/**
 * The configuration of a site's own server: it knows the identities, so its clients need not reach the hub to log in, and
 * passes their messages on. It has no JetStream: with it, streams would be stored twice.
 */
export function leafServerConfig(options: LeafServerOptions): string {
  const { environment, site, hub, hubTls, credentialsFile, trust } = options;
  const scheme = hubTls === undefined ? 'nats-leaf' : 'tls';
  const urls = hub.map((address) => quote(`${scheme}://${addressText(address)}`));
  return `${general(`muster-${environment}-${site}`, options)}
leafnodes {
  remotes: [
    {
      urls: [${urls.join(', ')}]
      account: ${quote(fleetAccount(trust))}
      credentials: ${quote(credentialsFile)}${tlsLine(hubTls, '      ')}
    }
  ]
}
${streamsOfHub(trust)}
${trustBlock(trust)}`;
}

function general(serverName: string, { pidFile, tls, ...address }: CommonOptions): string {
  return `# Written by 'muster bus keys' or 'muster bus server', and again whenever that runs.
server_name: ${quote(serverName)}
listen: ${quote(addressText(address))}
max_payload: ${2 * MAX_MESSAGE_BYTES}
max_control_line: ${CONTROL_LINE_BYTES}
max_connections: ${MAX_CONNECTIONS}${tlsLine(tls, '')}
${pidFile === undefined ? '' : `pid_file: ${quote(pidFile)}\n`}`;
}

function clusterBlock(environment: string, { listen, routes, password }: ClusterOptions): string {
  const urls = routes.map((route) => quote(`nats-route://${ROUTE_USER}:${password}@${addressText(route)}`));
  return `
cluster {
  name: ${quote(`muster-${environment}`)}
  listen: ${quote(addressText(listen))}${tlsLine(listen.tls, '  ')}
  authorization { user: ${quote(ROUTE_USER)}, password: ${quote(password)} }
  routes: [
${urls.map((url) => `    ${url}`).join('\n')}
  ]
}
`;
}

function leafNodesBlock(listen: Listener, trust: BusTrust): string {
  return `
leafnodes {
  listen: ${quote(addressText(listen))}${tlsLine(listen.tls, '  ')}
}
${streamsOfHub(trust)}`;
}

/**
 * Both ends of a leaf link deny everything of JetStream, the buckets' subjects included, unless each says that the account
 * has one JetStream on both sides.
 */
function streamsOfHub(trust: BusTrust): string {
  return `default_js_domain: { ${fleetAccount(trust)}: "" }\n`;
}

function fleetAccount({ accounts, systemAccount }: BusTrust): string {
  const [account = ''] = Object.keys(accounts).filter((key) => key !== systemAccount);
  return account;
}

function trustBlock({ operatorJwt, systemAccount, accounts }: BusTrust): string {
  return `operator: ${quote(operatorJwt)}
system_account: ${quote(systemAccount)}
resolver: MEMORY
resolver_preload: {
${Object.entries(accounts)
  .map(([account, jwt]) => `  ${account}: ${quote(jwt)}`)
  .join('\n')}
}
`;
}

/** The handshake's default of 2 s is short for a machine under load. */
const TLS_TIMEOUT_SECONDS = 10;

/** With TLS, one line more. `verify` lets in only who has a certificate as well; the name of a server is always verified. */
function tlsLine(tls: Required<TlsFiles> | undefined, indent: string): string {
  if (tls === undefined) return '';
  const [cert, key, ca] = [tls.certFile, tls.keyFile, tls.caFile].map(quote);
  return `\n${indent}tls { cert_file: ${cert}, key_file: ${key}, ca_file: ${ca}, verify: true, timeout: ${TLS_TIMEOUT_SECONDS} }`;
}

function addressText({ host, port }: ServerAddress): string {
  return `${inUrl(host)}:${port}`;
}

/** Writes the configuration where it is missing or differs. */
export function writeNatsServerConfig(file: string, options: NatsServerOptions): Promise<'written' | 'unchanged'> {
  return writeServerConfig(file, natsServerConfig(options));
}

/** As `writeNatsServerConfig`, for a text. Readable by its owner only. */
export async function writeServerConfig(file: string, text: string): Promise<'written' | 'unchanged'> {
  if (readIfPresent(file) === text) return 'unchanged';
  replaceFile(file, text);
  return 'written';
}

function quote(text: string): string {
  return JSON.stringify(text);
}
