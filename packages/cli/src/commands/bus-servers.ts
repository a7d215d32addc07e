/** Further nats-servers for a bus that grows: those of a cluster, and those of sites. Files only, no network. */
import { join, resolve } from 'node:path';
import { isId } from '@muster/contracts';
import {
  clusterPassword,
  leafCredentialsFile,
  leafServerConfig,
  mintKeys,
  natsServerConfig,
  type ServerAddress,
  writeServerConfig,
} from '@muster/contracts/bus';
import { type Command, InvalidArgumentError } from 'commander';
import type { Flags } from '../config.ts';
import type { Context, ExitCode, Run } from '../context.ts';
import { CliError, EXIT } from '../exit-codes.ts';
import { parseAddress } from '../option-values.ts';
import { examples } from './options.ts';

interface ServerOptions extends Flags {
  readonly listen: ServerAddress;
  readonly store: string;
  readonly cluster?: ServerAddress;
  readonly route: readonly ServerAddress[];
  readonly leafnodes?: ServerAddress;
  readonly out?: string;
}

interface LeafOptions extends Flags {
  readonly listen: ServerAddress;
  readonly hub: readonly ServerAddress[];
  readonly leafCreds?: string;
  readonly out?: string;
}

export function addBusServers(bus: Command, context: Context, run: Run): void {
  bus
    .command('server')
    .summary('write the configuration of one server of a cluster; files only, no network')
    .description(
      'Writes the configuration of one nats-server, with the identities that muster bus keys made here. With --cluster it is one of a cluster: run this once for each of its servers, on the machine that has the keys, and copy each file to its server. It holds the password of the cluster.',
    )
    .argument('<name>', 'of the server, unique within the cluster', parseName)
    .requiredOption('--listen <address>', 'where clients connect, such as 10.0.0.1:4222', parseAddress)
    .requiredOption('--store <folder>', 'where this server keeps the data, on its machine')
    .option('--cluster <address>', 'where the other servers connect, such as 10.0.0.1:6222', parseAddress)
    .option('--route <address>', 'the --cluster of another server; once for each', collectAddress, [])
    .option('--leafnodes <address>', 'where servers of sites connect, such as 10.0.0.1:7422', parseAddress)
    .option('--out <file>', 'default: <state>/nats/<name>.conf')
    .addHelpText(
      'after',
      examples(
        'muster bus server n1 --listen 10.0.0.1:4222 --store /var/lib/nats --cluster 10.0.0.1:6222 \\\n      --route 10.0.0.2:6222 --route 10.0.0.3:6222',
      ),
    )
    .action((name: string, _options: unknown, command: Command) =>
      run(() => server(name, command.optsWithGlobals<ServerOptions>(), context)),
    );
  bus
    .command('leaf')
    .summary("write credentials and configuration of a site's own server; files only, no network")
    .description(
      "Makes the credentials of a site's nats-server, and writes its configuration: a leaf node that keeps no streams. The agents of the site connect to it, and it alone to the hub.",
    )
    .argument('<site>', 'id of the site', parseName)
    .requiredOption('--listen <address>', 'where the clients of the site connect, such as 10.8.0.1:4222', parseAddress)
    .requiredOption('--hub <address>', 'the --leafnodes of a server of the hub; once for each', collectAddress, [])
    .option('--leaf-creds <file>', 'where the credentials lie at the site; default: where they are made')
    .option('--out <file>', 'default: <state>/nats/leaf-<site>.conf')
    .addHelpText('after', examples('muster bus leaf berlin --listen 10.8.0.1:4222 --hub 10.0.0.1:7422'))
    .action((site: string, _options: unknown, command: Command) =>
      run(() => leaf(site, command.optsWithGlobals<LeafOptions>(), context)),
    );
}

async function server(name: string, options: ServerOptions, { terminal, readSettings }: Context): Promise<ExitCode> {
  const { listen, store, cluster, route: routes, leafnodes, out, ...flags } = options;
  if (cluster === undefined && routes.length > 0) {
    throw new CliError(
      'usage',
      '--route is for a cluster: say with --cluster where this server listens for the others',
    );
  }
  const { environment, keysDir, stateDir } = readSettings(flags);
  const { trust } = await mintKeys({ directory: keysDir, environment, identities: [] });
  const text = natsServerConfig({
    environment,
    ...listen,
    storeDir: store,
    trust,
    serverName: `muster-${environment}-${name}`,
    ...(cluster !== undefined && {
      cluster: { listen: cluster, routes: [cluster, ...routes], password: await clusterPassword(keysDir) },
    }),
    ...(leafnodes !== undefined && { leafNodes: leafnodes }),
  });
  const file = resolve(out ?? join(stateDir, 'nats', `${name}.conf`));
  terminal.print(`${await writeServerConfig(file, text)} ${file}`);
  return EXIT.ok;
}

async function leaf(site: string, options: LeafOptions, { terminal, readSettings }: Context): Promise<ExitCode> {
  const { listen, hub, leafCreds, out, ...flags } = options;
  if (hub.length === 0) throw new CliError('usage', '--hub is missing: name where the hub accepts leaf nodes');
  const { environment, keysDir, stateDir } = readSettings(flags);
  const { trust, created } = await mintKeys({ directory: keysDir, environment, identities: [], leafSites: [site] });
  const made = leafCredentialsFile(keysDir, site);
  const text = leafServerConfig({ environment, site, ...listen, hub, trust, credentialsFile: leafCreds ?? made });
  const file = resolve(out ?? join(stateDir, 'nats', `leaf-${site}.conf`));
  const written = await writeServerConfig(file, text);
  terminal.print(
    `${created.includes(made) ? 'created' : 'kept'} ${made}`,
    `${written} ${file}`,
    `copy both to the site, readable by its nats-server only`,
  );
  return EXIT.ok;
}

function parseName(text: string): string {
  if (!isId(text)) throw new InvalidArgumentError('Write an id: 1 to 63 of a-z, 0-9, _ and -.');
  return text;
}

function collectAddress(text: string, before: readonly ServerAddress[]): readonly ServerAddress[] {
  return [...before, parseAddress(text)];
}
