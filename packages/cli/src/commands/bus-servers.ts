/** Further nats-servers for a bus that grows: those of a cluster, and those of sites. Files only, no network. */
import { basename, join, resolve } from 'node:path';
import { isId, type TlsFiles } from '@muster/contracts';
import { stateLayout } from '@muster/contracts/files';
import {
  clusterPassword,
  identitiesIn,
  type Listener,
  leafCredentialsFile,
  leafServerConfig,
  mintCertificates,
  mintKeys,
  natsServerConfig,
  serverTlsFiles,
  writeServerConfig,
} from '@muster/contracts/keys';
import { type Command, InvalidArgumentError } from 'commander';
import { claimState } from '../bus/state-folder.ts';
import type { Flags, Settings } from '../config.ts';
import type { Act, Context, ExitCode } from '../context.ts';
import { CliError, EXIT } from '../exit-codes.ts';
import { type Address, parseAbsoluteFolder, parseAddress, parseHostName } from '../option-values.ts';
import type { Terminal } from '../terminal.ts';
import { examples } from './options.ts';

interface CommonOptions extends Flags {
  readonly listen: Address;
  readonly name: readonly string[];
  /** Where the files will lie on the server's machine. */
  readonly dir?: string;
  readonly out?: string;
}

interface ServerOptions extends CommonOptions {
  readonly store: string;
  readonly cluster?: Address;
  readonly route: readonly Address[];
  readonly leafnodes?: Address;
}

interface LeafOptions extends CommonOptions {
  readonly hub: readonly Address[];
}

const TLS_HELP =
  'What listens on, or connects to, more than loopback speaks TLS only; tls:// before a loopback address makes it so there. The certificate for it is made here, for the addresses given and each --name, and kept until it ends within 30 days or lacks a name.';
const NAME_HELP = 'a further name or address under which it is reached; once for each';
const DIR_HELP = 'folder on its machine that the files will be copied to; default: they are used where they are made';

export function addBusServers(bus: Command, act: Act): void {
  bus
    .command('server')
    .summary('write certificate and configuration of one server of a cluster; files only, no network')
    .description(
      `Writes the configuration of one nats-server, with the identities that muster bus keys made here, and prints which files to copy to it. With --cluster it is one of a cluster: run this once for each of its servers, on the machine that has the keys. The configuration holds the password of the cluster. ${TLS_HELP}`,
    )
    .argument('<name>', 'of the server, unique within the cluster', parseName)
    .requiredOption('--listen <address>', 'where clients connect, such as 10.0.0.1:4222', parseAddress)
    .requiredOption('--store <folder>', 'where this server keeps the data, on its machine')
    .option('--cluster <address>', 'where the other servers connect, such as 10.0.0.1:6222', parseAddress)
    .option('--route <address>', 'the --cluster of another server; once for each', collectAddress, [])
    .option('--leafnodes <address>', 'where servers of sites connect, such as 10.0.0.1:7422', parseAddress)
    .option('--name <name>', NAME_HELP, collectName, [])
    .option('--dir <folder>', DIR_HELP, parseAbsoluteFolder)
    .option('--out <file>', 'default: <state>/nats/<name>.conf')
    .addHelpText(
      'after',
      examples(
        'muster bus server n1 --listen 10.0.0.1:4222 --store /var/lib/nats --cluster 10.0.0.1:6222 \\\n      --route 10.0.0.2:6222 --route 10.0.0.3:6222 --dir /etc/muster',
      ),
    )
    .action(act(server));
  bus
    .command('leaf')
    .summary("write credentials, certificate and configuration of a site's own server; files only, no network")
    .description(
      `Makes the credentials of a site's nats-server, and writes its configuration: a leaf node that keeps no streams. The agents of the site connect to it, and it alone to the hub. ${TLS_HELP}`,
    )
    .argument('<site>', 'id of the site', parseName)
    .requiredOption('--listen <address>', 'where the clients of the site connect, such as 10.8.0.1:4222', parseAddress)
    .requiredOption('--hub <address>', 'the --leafnodes of a server of the hub; once for each', collectAddress, [])
    .option('--name <name>', NAME_HELP, collectName, [])
    .option('--dir <folder>', DIR_HELP, parseAbsoluteFolder)
    .option('--out <file>', 'default: <state>/nats/leaf-<site>.conf')
    .addHelpText(
      'after',
      examples('muster bus leaf berlin --listen 10.8.0.1:4222 --hub 10.0.0.1:7422 --dir /etc/muster'),
    )
    .action(act(leaf));
}

async function server(name: string, options: ServerOptions, { terminal, readSettings }: Context): Promise<ExitCode> {
  const { listen, store, cluster, route: routes, leafnodes, name: names, dir, out, ...flags } = options;
  if (cluster === undefined && routes.length > 0) {
    throw new CliError(
      'usage',
      '--route is for a cluster: say with --cluster where this server listens for the others',
    );
  }
  const settings = readSettings(flags);
  claimState(settings, terminal);
  const { environment, keysDir, stateDir } = settings;
  const file = `server-${name}`;
  // Routes are the same both ways: one that leads beyond loopback needs TLS here, too.
  const links = cluster === undefined ? undefined : { ...cluster, isTls: [cluster, ...routes].some(isTls) };
  const open = [listen, links, leafnodes].filter(isTls);
  const certifiedNames = namesFor(open, names);
  const { trust } = await mintKeys({ directory: keysDir, environment, identities: [] });
  const certificate = open.length > 0 ? await certify(file, certifiedNames, settings) : [];
  const withTls = tlsWith(serverTlsFiles(dir ?? keysDir, file));
  const text = natsServerConfig({
    environment,
    ...withTls(listen),
    storeDir: store,
    trust,
    serverName: `muster-${environment}-${name}`,
    ...(links !== undefined && {
      cluster: { listen: withTls(links), routes: [links, ...routes], password: await clusterPassword(keysDir) },
    }),
    ...(leafnodes !== undefined && { leafNodes: withTls(leafnodes) }),
  });
  const config = resolve(out ?? join(stateLayout(stateDir).serverDir, `${name}.conf`));
  const written = { path: config, what: await writeServerConfig(config, text) };
  report([...certificate, written], dir, terminal);
  return EXIT.ok;
}

async function leaf(site: string, options: LeafOptions, { terminal, readSettings }: Context): Promise<ExitCode> {
  const { listen, hub, name: names, dir, out, ...flags } = options;
  if (hub.length === 0) throw new CliError('usage', '--hub is missing: name where the hub accepts leaf nodes');
  const settings = readSettings(flags);
  claimState(settings, terminal);
  const { environment, keysDir, stateDir } = settings;
  const file = `leaf-${site}`;
  const certifiedNames = namesFor([listen].filter(isTls), names);
  const { trust, created } = await mintKeys({ directory: keysDir, environment, identities: [], leafSites: [site] });
  const certificate = [listen, ...hub].some(isTls) ? await certify(file, certifiedNames, settings) : [];
  const tls = serverTlsFiles(dir ?? keysDir, file);
  const text = leafServerConfig({
    environment,
    site,
    ...tlsWith(tls)(listen),
    hub,
    ...(hub.some(isTls) && { hubTls: tls }),
    trust,
    credentialsFile: leafCredentialsFile(dir ?? keysDir, site),
  });
  const credentials = leafCredentialsFile(keysDir, site);
  const config = resolve(out ?? join(stateLayout(stateDir).serverDir, `${file}.conf`));
  const written = { path: config, what: await writeServerConfig(config, text) };
  report([made(credentials, created), ...certificate, written], dir, terminal);
  return EXIT.ok;
}

function isTls(address: Address | undefined): address is Address {
  return address?.isTls === true;
}

function tlsWith(tls: Required<TlsFiles>): (address: Address) => Listener {
  return ({ host, port, isTls: speaksTls }) => ({ host, port, ...(speaksTls && { tls }) });
}

/** What the certificate must be for. @throws CliError (usage) when the server listens where nobody can say how it is reached */
function namesFor(open: readonly Address[], further: readonly string[]): readonly string[] {
  const hosts = open.map(({ host }) => host).filter((host) => host !== '0.0.0.0' && host !== '::');
  const names = [...new Set([...hosts, ...further])];
  if (open.length === 0 || names.length > 0) return names;
  throw new CliError(
    'usage',
    `'${open[0]?.host}' is every address, and a certificate is for one: say with --name under which name or address this server is reached`,
  );
}

/** A file of a server, and what became of it now. */
interface Made {
  readonly path: string;
  readonly what: 'created' | 'kept' | 'written' | 'unchanged';
}

function made(path: string, created: readonly string[]): Made {
  return { path, what: created.includes(path) ? 'created' : 'kept' };
}

/** Its clients need certificates too: the identities of this machine have theirs beside their credentials. */
async function certify(
  file: string,
  names: readonly string[],
  { environment, keysDir }: Settings,
): Promise<readonly Made[]> {
  const identities = await identitiesIn(keysDir, environment);
  const furtherServers = [{ file, names }];
  const { created } = await mintCertificates({ directory: keysDir, environment, identities, furtherServers });
  const { caFile, certFile, keyFile } = serverTlsFiles(keysDir, file);
  return [caFile, certFile, keyFile].map((path) => made(path, created));
}

/** `files` end with the configuration. */
function report(files: readonly Made[], dir: string | undefined, terminal: Terminal): void {
  const config = files.at(-1)?.path ?? '';
  terminal.print(...files.map(({ path, what }) => `${what} ${path}`));
  if (dir === undefined) {
    terminal.note(
      `start it on this machine: nats-server -c ${config}`,
      'for another machine say with --dir where these files will lie there',
    );
    return;
  }
  terminal.note(
    `copy ${files.length === 1 ? 'it' : `these ${files.length} files`} to ${dir} on its machine, mode 0600, owned by the user that runs nats-server there`,
    `start it there: nats-server -c ${join(dir, basename(config))}; one that runs already reads them again on HUP`,
  );
}

function parseName(text: string): string {
  if (!isId(text)) throw new InvalidArgumentError('Write an id: 1 to 63 of a-z, 0-9, _ and -.');
  return text;
}

function collectAddress(text: string, before: readonly Address[]): readonly Address[] {
  return [...before, parseAddress(text)];
}

function collectName(text: string, before: readonly string[]): readonly string[] {
  return [...before, parseHostName(text)];
}
