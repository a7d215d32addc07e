import type { Command } from 'commander';
import { configurationAdvice } from '../bus/files.ts';
import { readRetentionOf } from '../bus/retention.ts';
import { closeState } from '../bus/state-folder.ts';
import { tellEverybody, tellServers } from '../bus/tell-servers.ts';
import type { Flags, Settings } from '../config.ts';
import type { Act, Context, ExitCode } from '../context.ts';
import { CliError, EXIT } from '../exit-codes.ts';
import { type AddedHost, addHost as enrol } from '../hosts/add-host.ts';
import { removeHost as turnOut } from '../hosts/remove-host.ts';
import { parseId } from '../option-values.ts';
import { examples, JSON_FLAG, type JsonOptions } from './options.ts';

interface AddOptions extends JsonOptions {
  readonly keepKey?: true;
}

export function addHost(program: Command, act: Act): void {
  const host = program
    .command('host')
    .summary('let a host join the bus, or turn one out')
    .description('Adds hosts to the bus that runs here, and removes them.')
    .helpCommand(false)
    .addHelpText('after', examples('muster host add web2', 'muster host remove web2'));
  host
    .command('add')
    .summary('make what the agent of another host needs, and print the line that lets it join')
    .description(
      'Makes credentials (and a certificate) for the agent of another host and prints the line that lets it join: muster join reads it there. The line is the key of that host. Needs no network, and nothing restarts. A host that was added before gets a new key, and its earlier line is void at once: the bus is told.',
    )
    .argument('<host>', "the other host's id", parseId)
    .option('--keep-key', 'the line of the key that it has, with certificates or an address that are new')
    .option(JSON_FLAG, 'print JSON, for programs')
    .addHelpText(
      'after',
      examples(
        "muster host add web2 | ssh web2 'cd muster && npx muster join'",
        'muster host add web2 --url tls://bus.example.org:4222',
        'muster host add web2 --keep-key',
      ),
    )
    .action(act(add));
  host
    .command('remove')
    .summary('close the connection of a host for good and void its credentials')
    .description(
      "Revokes the credentials of a host's agent: its connection is closed at once, and nothing that it signed counts. Its services go on. Adding it again makes new credentials.",
    )
    .argument('<host>', "the host's id", parseId)
    .option(JSON_FLAG, 'print JSON, for programs')
    .addHelpText('after', examples('muster host remove web2'))
    .action(act(removeOne));
}

async function add(
  host: string,
  { json, keepKey, ...flags }: AddOptions,
  { terminal, readSettings, signal }: Context,
): Promise<ExitCode> {
  const settings = readSettings(flags);
  closeState(settings, terminal);
  const retention = await readRetentionOf(settings, terminal);
  const { url, token, isNew, voided } = await enrol(host, { settings, retention, isKeyKept: keepKey === true });
  const made = isNew || voided !== undefined ? 'made' : 'kept';
  terminal.note(`${made} the credentials of '${host}'; it will connect to ${url} (another address: --url)`);
  let exitCode: ExitCode = EXIT.ok;
  if (voided !== undefined) {
    terminal.note(
      `its earlier line is void: if '${host}' has joined, it is cut off until it joins with the new one; its services go on`,
    );
    exitCode = await tellOfVoid(host, voided, telling(settings, readSettings(withoutUrl(flags))), { terminal, signal });
  }
  if (json) terminal.printJson({ host, url, isNew, token });
  else {
    terminal.note(`the line below is the key of '${host}': whoever reads it is that host, until you add it again`);
    if (terminal.isWatched) {
      terminal.note(
        `paste it there behind npx muster join, never on a command line; or let ssh carry a new one unseen:`,
        `  npx muster host add ${host} | ssh ${host} 'cd muster && npx muster join'`,
      );
    }
    terminal.print(token);
  }
  return exitCode;
}

/** The new line counts whether or not the servers know yet that the earlier one does not: so it is printed in any case. */
async function tellOfVoid(
  host: string,
  { revocations, files }: NonNullable<AddedHost['voided']>,
  settings: Settings,
  { terminal, signal }: Pick<Context, 'terminal' | 'signal'>,
): Promise<ExitCode> {
  try {
    const servers = await tellServers(settings, files.trust);
    await tellEverybody(settings, revocations, signal);
    terminal.note(
      `told nats-server ${servers.join(', ')}, and everybody who might believe it`,
      ...configurationAdvice(files),
    );
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    terminal.note(`muster: the earlier line of '${host}' may still work: ${error.message}`);
    return EXIT[error.exit];
  }
}

/** How this machine reaches the bus comes first: `--url` says how the other host does. */
function telling(given: Settings, own: Settings): Settings {
  return { ...given, servers: [...new Set([...own.servers, ...given.servers])] };
}

function withoutUrl({ url: _url, ...flags }: Flags): Flags {
  return flags;
}

const WHY_STILL = {
  'no-prober': 'no health-prober leads now; run this again when one does',
  refused: 'the leading health-prober refused; see muster events',
  'still-heard': 'its agent is still heard; run this again',
} as const;

async function removeOne(
  host: string,
  { json, ...flags }: JsonOptions,
  { terminal, readSettings, signal }: Context,
): Promise<ExitCode> {
  const settings = readSettings(flags);
  closeState(settings, terminal);
  const retention = await readRetentionOf(settings, terminal);
  const onProgress = (line: string) => terminal.note(line);
  const { servers, stored } = await turnOut(host, { settings, retention, onProgress }, signal);
  if (json) terminal.printJson({ host, servers, stored });
  else {
    terminal.print(`'${host}' is removed: its connection is closed, and its credentials are void`);
    if (stored !== 'forgotten')
      terminal.note(`what is stored of '${host}' is still shown, as unknown: ${WHY_STILL[stored]}`);
  }
  return EXIT.ok;
}
