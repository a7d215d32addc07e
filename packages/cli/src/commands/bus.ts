import { join } from 'node:path';
import { isId } from '@muster/contracts';
import { credentialsFile, type Identity, mintKeys, setupBus, writeNatsServerConfig } from '@muster/contracts/bus';
import { type Command, InvalidArgumentError } from 'commander';
import type { Flags, Settings } from '../config.ts';
import { ADMIN, OPERATOR, open } from '../connect.ts';
import type { Context, ExitCode, Run } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { parseDurationMs } from '../option-values.ts';
import type { Terminal } from '../terminal.ts';
import { addBusServers } from './bus-servers.ts';
import { examples } from './options.ts';

interface SetupOptions extends Flags {
  /** In ms. */
  readonly wait: number;
  readonly replicas?: number;
}

interface KeysOptions extends Flags {
  readonly agent?: string;
}

export function addBus(program: Command, context: Context, run: Run): void {
  const bus = program
    .command('bus')
    .summary('make keys for the bus, set up its streams and buckets, let it grow')
    .description('Prepares a bus. All commands may be run again at any time: they keep what is there.')
    .helpCommand(false)
    .addHelpText('after', examples('muster bus keys', 'muster bus keys --agent web2', 'muster bus setup --wait 60s'));
  bus
    .command('keys')
    .summary('make the keys and credentials of every identity; files only, no network')
    .description(
      'Makes the keys of the bus, one credentials file for each identity of this machine, and the configuration of its nats-server. Works without network; keeps what exists; prints no secret.',
    )
    .option('--agent <host>', 'also make credentials for the agent of another host', parseHost)
    .addHelpText('after', examples('muster bus keys', 'muster bus keys --agent web2'))
    .action((_options: unknown, command: Command) => run(() => keys(command.optsWithGlobals<KeysOptions>(), context)));
  bus
    .command('setup')
    .summary('create or migrate the streams and buckets of the bus')
    .description('Creates the streams and buckets of the environment, and migrates those of an older version.')
    .option('--wait <time>', 'how long to wait for the server', parseDurationMs, 30_000)
    .option('--replicas <n>', 'on how many servers of a cluster each stream lives: 1, 3 or 5', parseReplicas)
    .addHelpText(
      'after',
      examples(
        'muster bus setup',
        'muster bus setup --replicas 3',
        'muster bus setup --url nats://10.0.0.5:4222 --creds admin.creds',
      ),
    )
    .action((_options: unknown, command: Command) =>
      run(() => setup(command.optsWithGlobals<SetupOptions>(), context)),
    );
  addBusServers(bus, context, run);
}

/** An even number survives no more servers than the odd one below it. */
function parseReplicas(text: string): number {
  if (!['1', '3', '5'].includes(text)) throw new InvalidArgumentError('Write 1, 3 or 5.');
  return Number(text);
}

function parseHost(text: string): string {
  if (!isId(text)) throw new InvalidArgumentError('Write a host id: 1 to 63 of a-z, 0-9, _ and -.');
  return text;
}

/** Everybody who speaks on the bus of one machine that runs the whole system. */
function ownIdentities(hostId: string): readonly Identity[] {
  return [
    { role: 'agent', id: hostId },
    { role: 'prober', id: 'main' },
    { role: 'dashboard', id: 'main' },
    OPERATOR,
    { role: 'observer', id: 'alerts' },
    ADMIN,
  ];
}

async function keys({ agent, ...flags }: KeysOptions, { terminal, readSettings }: Context): Promise<ExitCode> {
  const settings = readSettings(flags);
  const { environment, hostId, keysDir, listen, stateDir } = settings;
  const other: readonly Identity[] = agent === undefined ? [] : [{ role: 'agent', id: agent }];
  const minted = await mintKeys({
    directory: keysDir,
    environment,
    identities: [...ownIdentities(hostId), ...other],
  });
  const configFile = join(stateDir, 'nats', 'nats.conf');
  const written = await writeNatsServerConfig(configFile, {
    environment,
    ...listen,
    storeDir: join(stateDir, 'nats', 'jetstream'),
    trust: minted.trust,
  });
  const created = [...minted.created, ...(written === 'written' ? [configFile] : [])];
  const kept = minted.kept.length + (written === 'unchanged' ? 1 : 0);
  terminal.print(...created.map((file) => `created ${file}`));
  if (kept > 0) terminal.print(`kept ${kept} ${kept === 1 ? 'file' : 'files'} in ${stateDir}`);
  if (agent !== undefined) explainJoining(agent, settings, terminal);
  return EXIT.ok;
}

function explainJoining(agent: string, settings: Settings, terminal: Terminal): void {
  const { environment, keysDir, listen } = settings;
  const isLocalOnly = listen.host === 'localhost' || listen.host === '::1' || listen.host.startsWith('127.');
  const address = isLocalOnly || listen.host === '0.0.0.0' || listen.host === '::' ? 'THIS-HOST' : listen.host;
  terminal.print(
    '',
    `To let the agent of '${agent}' join:`,
    `  1. copy ${credentialsFile(keysDir, { role: 'agent', id: agent })} there, readable by its agent only`,
    `  2. write into config/agent.yaml there:`,
    `       environment: ${environment}`,
    `       host: ${agent}`,
    `       bus:`,
    `         url: nats://${address}:${listen.port}`,
    `         creds: /path/to/agent-${agent}.creds`,
    ...(isLocalOnly
      ? [
          `  3. here the bus listens on ${listen.host} only: set bus.listen in config/agent.yaml, and run npm start again`,
        ]
      : []),
  );
}

async function setup({ wait: waitMs, replicas, ...flags }: SetupOptions, context: Context): Promise<ExitCode> {
  const { terminal, signal } = context;
  const settings = context.readSettings(flags);
  terminal.note(`muster: waiting for the bus at ${settings.servers.join(', ')}`);
  await using bus = await open(settings, ADMIN, waitMs, signal);
  const { created, updated, unchanged } = await setupBus(bus, replicas === undefined ? {} : { replicas });
  terminal.print(
    ...created.map((stream) => `created ${stream}`),
    ...updated.map((stream) => `updated ${stream}`),
    created.length + updated.length === 0
      ? `nothing to change: all ${unchanged.length} streams and buckets are as they must be`
      : `${created.length} created, ${updated.length} updated, ${unchanged.length} as they were`,
  );
  return EXIT.ok;
}
