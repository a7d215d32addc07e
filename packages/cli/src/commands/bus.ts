import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Identity, type NatsBus, setUpIncarnation, setupBus } from '@muster/contracts/bus';
import { type Command, InvalidArgumentError } from 'commander';
import { certificateAdvice, makeBusFiles } from '../bus-files.ts';
import type { Flags, Settings } from '../config.ts';
import { ADMIN, OPERATOR, open } from '../connect.ts';
import type { Context, ExitCode, Run } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { parseDurationMs, parseId } from '../option-values.ts';
import { readRetentionOf } from '../retention.ts';
import { addBusCheck } from './bus-check.ts';
import { addBusServers } from './bus-servers.ts';
import { addBusTail } from './bus-tail.ts';
import { examples } from './options.ts';
import { addRotate } from './rotate.ts';

interface SetupOptions extends Flags {
  /** In ms. */
  readonly wait: number;
  readonly replicas?: number;
  readonly restored?: true;
}

interface KeysOptions extends Flags {
  readonly agent?: string;
}

export function addBus(program: Command, context: Context, run: Run): void {
  const bus = program
    .command('bus')
    .summary('make keys for the bus, set it up, check it, see what travels on it, replace keys, let it grow')
    .description('Prepares a bus and looks at it. Keys and setup may be run again at any time: what is there is kept.')
    .helpCommand(false)
    .addHelpText(
      'after',
      examples(
        'muster bus keys --agent web2',
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
    .option('--agent <host>', 'also make credentials for the agent of another host', parseId)
    .addHelpText('after', examples('muster bus keys', 'muster bus keys --agent web2'))
    .action((_options: unknown, command: Command) => run(() => keys(command.optsWithGlobals<KeysOptions>(), context)));
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
    .action((_options: unknown, command: Command) =>
      run(() => setup(command.optsWithGlobals<SetupOptions>(), context)),
    );
  addRotate(bus, context, run);
  addBusCheck(bus, context, run);
  addBusTail(bus, context, run);
  addBusServers(bus, context, run);
}

/** An even number survives no more servers than the odd one below it. */
function parseReplicas(text: string): number {
  if (!['1', '3', '5'].includes(text)) throw new InvalidArgumentError('Write 1, 3 or 5.');
  return Number(text);
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
  const other: readonly Identity[] = agent === undefined ? [] : [{ role: 'agent', id: agent }];
  const retention = await readRetentionOf(settings, terminal);
  const identities = [...ownIdentities(settings.hostId), ...other];
  const files = await makeBusFiles(settings, identities, retention);
  const { created, kept } = files;
  terminal.print(...created.map((file) => `created ${file}`));
  if (kept.length > 0) {
    terminal.print(`kept ${kept.length} ${kept.length === 1 ? 'file' : 'files'} in ${settings.stateDir}`);
  }
  terminal.note(...certificateAdvice(files));
  return EXIT.ok;
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
  const { created, updated, unchanged } = await setupBus(bus, {
    retention,
    ...(replicas === undefined ? {} : { replicas }),
  });
  const age = await markStore(bus, settings, restored === true);
  terminal.print(
    ...created.map((stream) => `created ${stream}`),
    ...updated.map((stream) => `updated ${stream}`),
    created.length + updated.length === 0
      ? `nothing to change: all ${unchanged.length} streams and buckets are as they must be`
      : `${created.length} created, ${updated.length} updated, ${unchanged.length} as they were`,
    ...age,
  );
  return EXIT.ok;
}

/** What is worth saying of it. */
async function markStore(bus: NatsBus, { keysDir }: Settings, isRestored: boolean): Promise<readonly string[]> {
  const isKeysDir = existsSync(join(keysDir, 'account.nk'));
  const { incarnation, isRaised } = await setUpIncarnation(bus, {
    isRestored,
    ...(isKeysDir && { directory: keysDir }),
  });
  if (!isRaised) return [];
  return [`the store has gone back (incarnation ${incarnation}): agents and probers send again what it has lost`];
}
