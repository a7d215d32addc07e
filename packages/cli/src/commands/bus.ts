import { once } from 'node:events';
import { existsSync } from 'node:fs';
import {
  isLoopbackHost,
  MAX_GRANTED_HOSTS,
  PERSON_ROLES,
  type PersonRole,
  parseIdentity,
  ROLES,
  type Role,
} from '@muster/contracts';
import { isApiStrict, SetupError, setUpObservers, setupBus } from '@muster/contracts/admin';
import type { Bus } from '@muster/contracts/bus';
import { credentialsFile } from '@muster/contracts/files';
import { type Identity, identitiesIn } from '@muster/contracts/keys';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { ADMIN, open } from '../bus/connect.ts';
import { signalServer } from '../bus/embedded-server.ts';
import { certificateAdvice, makeBusFiles } from '../bus/files.ts';
import { observersIn, ownIdentities } from '../bus/identities.ts';
import { readRetentionOf } from '../bus/retention.ts';
import { claimState } from '../bus/state-folder.ts';
import { markStore } from '../bus/store-age.ts';
import { STRICT_ADVICE } from '../check/bus-check.ts';
import type { Flags, Settings } from '../config.ts';
import type { Act, Context, ExitCode } from '../context.ts';
import { CliError, EXIT } from '../exit-codes.ts';
import { parseDurationMs, parseId } from '../option-values.ts';
import { addBusCheck } from './bus-check.ts';
import { addBusCheckAgent } from './bus-check-agent.ts';
import { addBusGuard } from './bus-guard.ts';
import { addRotate } from './bus-rotate.ts';
import { addBusServers } from './bus-servers.ts';
import { addBusTail } from './bus-tail.ts';
import { examples } from './options.ts';

interface SetupOptions extends Flags {
  /** In ms. */
  readonly wait: number;
  readonly replicas?: number;
  readonly restored?: true;
}

interface KeysOptions extends Flags {
  readonly add?: Pick<Identity, 'role' | 'id'>;
  readonly hosts?: readonly string[];
  readonly delegates?: PersonRole;
}

export function addBus(program: Command, act: Act): void {
  const bus = program
    .command('bus')
    .summary('make keys for the bus, set it up, check it, see what travels on it, replace keys, let it grow')
    .description('Prepares a bus and looks at it. Keys and setup may be run again at any time: what is there is kept.')
    .helpCommand(false)
    .addHelpText(
      'after',
      examples(
        'muster bus keys --add operator-ada',
        'muster bus setup --wait 60s',
        'muster bus check',
        "muster bus tail 'host.web1.>'",
      ),
    );
  bus
    .command('keys')
    .summary('make the keys and credentials of every identity; files only, no network')
    .description(
      'Makes the keys of the bus, one credentials file for each identity of this machine, and the configuration of its nats-server; makes certificates anew that end within 30 days, also those of muster bus server and muster bus leaf, and says where to copy these. Works without network; keeps what exists; prints no secret.',
    )
    .option('--add <role-id>', `also make credentials for somebody else; roles: ${ROLES.join(', ')}`, parseAdded)
    .option('--hosts <hosts>', 'with --add: the only hosts that its word counts for, such as web1,web2', parseHosts)
    .addOption(
      new Option(
        '--delegates <role>',
        'with --add dashboard-…: up to what role it may speak for the people who use it (default: admin)',
      ).choices(PERSON_ROLES),
    )
    .addHelpText(
      'after',
      examples(
        'muster bus keys',
        'muster bus keys --add observer-pager',
        'muster bus keys --add operator-ada --hosts web1,web2',
      ),
    )
    .action(act(keys));
  bus
    .command('setup')
    .summary('create or migrate the streams and buckets of the bus')
    .description(
      'Creates the streams and buckets of the environment, and changes in place those of an older version or with another bus.retention in agent.yaml.',
    )
    .option('--wait <time>', 'how long to wait for the server', parseDurationMs, 30_000)
    .option('--replicas <n>', 'on how many servers of a cluster each stream lives: 1, 3 or 5', parseReplicas)
    .option('--restored', 'the store was restored: everybody sends again what it has lost')
    .addHelpText(
      'after',
      examples(
        'muster bus setup',
        'muster bus setup --restored',
        'muster bus setup --replicas 3',
        'muster bus setup --url tls://10.0.0.5:4222 --creds admin.creds',
      ),
    )
    .action(act(setup));
  addRotate(bus, act);
  addBusGuard(bus, act);
  addBusCheck(bus, act);
  addBusCheckAgent(bus, act);
  addBusTail(bus, act);
  addBusServers(bus, act);
}

/** An even number survives no more servers than the odd one below it. */
function parseReplicas(text: string): number {
  if (!['1', '3', '5'].includes(text)) throw new InvalidArgumentError('Write 1, 3 or 5.');
  return Number(text);
}

/** `operator-ada`. */
function parseAdded(text: string): Pick<Identity, 'role' | 'id'> {
  const identity = parseIdentity(text, '-');
  if (identity !== undefined) return identity;
  throw new InvalidArgumentError(`Write a role and an id, such as operator-ada: ${ROLES.join(', ')}.`);
}

function parseHosts(text: string): readonly string[] {
  const hosts = text.split(',').map((host) => parseId(host.trim()));
  if (hosts.length > MAX_GRANTED_HOSTS) throw new InvalidArgumentError(`At most ${MAX_GRANTED_HOSTS} hosts.`);
  return hosts;
}

/** Whose word is about hosts of others, and may be limited to some. */
const LIMITED_BY_HOSTS: readonly Role[] = ['dashboard', 'operator', 'admin'];

/** @throws CliError (usage) */
function identityToAdd({ add, hosts, delegates }: KeysOptions): readonly Identity[] {
  if (add === undefined) {
    if (hosts === undefined && delegates === undefined) return [];
    throw new CliError('usage', '--hosts and --delegates limit whom --add names: name somebody with --add');
  }
  if (hosts !== undefined && !LIMITED_BY_HOSTS.includes(add.role)) {
    throw new CliError('usage', `--hosts limits ${LIMITED_BY_HOSTS.join(', ')}, not ${add.role}`);
  }
  if (delegates !== undefined && add.role !== 'dashboard') {
    throw new CliError('usage', `only a dashboard speaks for people, not ${add.role}`);
  }
  return [{ ...add, ...(hosts && { hosts }), ...(delegates && { delegates }) }];
}

async function keys(options: KeysOptions, { terminal, readSettings }: Context): Promise<ExitCode> {
  const settings = readSettings(options);
  claimState(settings, terminal);
  const added = identityToAdd(options);
  const { keysDir, environment } = settings;
  // What was made before is signed again where its rights have changed since.
  const known = existsSync(keysDir) ? await identitiesIn(keysDir, environment) : [];
  const retention = await readRetentionOf(settings, terminal);
  const identities = distinct([...added, ...known, ...ownIdentities(settings.hostId)]);
  const files = await makeBusFiles(settings, identities, retention);
  const { created, kept } = files;
  terminal.print(...created.map((file) => `created ${file}`));
  if (kept.length > 0) {
    terminal.print(`kept ${kept.length} ${kept.length === 1 ? 'file' : 'files'} in ${settings.stateDir}`);
  }
  terminal.note(...certificateAdvice(files), ...identityAdvice(added), ...joinedAdvice(known, created, settings));
  return EXIT.ok;
}

/** The first of each name counts. */
function distinct(identities: readonly Identity[]): readonly Identity[] {
  const byName = new Map<string, Identity>();
  for (const identity of identities) {
    const name = `${identity.role}-${identity.id}`;
    if (!byName.has(name)) byName.set(name, identity);
  }
  return [...byName.values()];
}

function identityAdvice(added: readonly Identity[]): readonly string[] {
  return added.some(({ role }) => role === 'observer')
    ? ['run muster bus setup (each npm start does): from then on alerts wait for this observer while it is away']
    : [];
}

/** Where a host joined with what was signed again here, it still has what was signed before. */
function joinedAdvice(
  known: readonly Identity[],
  created: readonly string[],
  { hostId, keysDir }: Settings,
): readonly string[] {
  return known
    .filter(({ role, id }) => role === 'agent' && id !== hostId)
    .filter((identity) => created.includes(credentialsFile(keysDir, identity)))
    .map(
      ({ id }) =>
        `the rights of ${id} have changed: run muster host add ${id} --keep-key, and there muster join --replace`,
    );
}

async function setup(
  { wait: waitMs, replicas, restored, ...flags }: SetupOptions,
  context: Context,
): Promise<ExitCode> {
  const { terminal, signal } = context;
  const settings = context.readSettings(flags);
  const retention = await readRetentionOf(settings, terminal);
  terminal.note(`muster: waiting for the bus at ${settings.servers.join(', ')}`);
  await using bus = await open(settings, ADMIN, waitMs, signal);
  const setUp = () => setupBus(bus, { retention, ...(replicas === undefined ? {} : { replicas }) });
  const { created, updated, unchanged } = await setUp().catch(async (error: unknown) => {
    if (!(error instanceof SetupError && error.isStoreTooSmall)) throw error;
    if (!(await restartServer(bus, settings, waitMs))) throw error;
    terminal.note('muster: nats-server was started again, for its configuration allows it to store more by now');
    return setUp();
  });
  const age = await markStore(bus, settings, restored === true);
  const served = await setUpObservers(bus, await observersIn(settings));
  await expectStrictApi(bus);
  terminal.print(
    ...created.map((stream) => `created ${stream}`),
    ...updated.map((stream) => `updated ${stream}`),
    created.length + updated.length === 0
      ? `nothing to change: all ${unchanged.length} streams and buckets are as they must be`
      : `${created.length} created, ${updated.length} updated, ${unchanged.length} as they were`,
    ...age,
    ...served.map((id) => `alerts wait for observer-${id} from now on, while it is away`),
  );
  return EXIT.ok;
}

/** One that was there before an update still goes by the configuration of then. @returns false when it does not run here */
async function restartServer(bus: Bus, settings: Settings, waitMs: number): Promise<boolean> {
  const away = new Promise<void>((resolve) => {
    bus.onConnection(({ connected }) => !connected && resolve());
  });
  if (!(await signalServer(settings, 'SIGTERM'))) return false;
  const timeout = AbortSignal.timeout(waitMs);
  await Promise.race([away, once(timeout, 'abort')]);
  await bus.connected(timeout);
  return true;
}

/** @throws CliError (failed) for a server that others reach, and that may be made to send itself calls of its own API */
async function expectStrictApi(bus: Bus): Promise<void> {
  const { server } = bus;
  if (server === undefined || isLoopbackHost(server.listensOn) || (await isApiStrict(bus))) return;
  throw new CliError(
    'failed',
    `the bus at ${server.address} is not safe where others reach it: nats-server ${server.version} takes calls of its API that it cannot read, which lets whoever has credentials take streams away: ${STRICT_ADVICE}, or let it listen on loopback only (bus.listen in config/agent.yaml)`,
  );
}
