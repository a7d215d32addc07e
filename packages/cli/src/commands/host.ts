import type { Command } from 'commander';
import type { Flags } from '../config.ts';
import type { Context, ExitCode, Run } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { addHost as enrol } from '../hosts/add-host.ts';
import { removeHost as turnOut } from '../hosts/remove-host.ts';
import { parseId } from '../option-values.ts';
import { readRetentionOf } from '../retention.ts';
import { examples, JSON_FLAG } from './options.ts';

interface HostOptions extends Flags {
  readonly json?: true;
}

export function addHost(program: Command, context: Context, run: Run): void {
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
      'Makes credentials (and a certificate) for the agent of another host and prints one line to type there. Needs no network, and nothing restarts. A host that was added before gets the same line again. The line holds a secret.',
    )
    .argument('<host>', "the other host's id", parseId)
    .option(JSON_FLAG, 'print JSON, for programs')
    .addHelpText(
      'after',
      examples(
        'muster host add web2',
        'muster host add web2 --url tls://bus.example.org:4222',
        "muster host add web2 | ssh web2 'cd muster && npx muster join'",
      ),
    )
    .action((id: string, _options: unknown, command: Command) =>
      run(() => add(id, command.optsWithGlobals<HostOptions>(), context)),
    );
  host
    .command('remove')
    .summary('close the connection of a host for good and void its credentials')
    .description(
      "Revokes the credentials of a host's agent: its connection is closed at once, and nothing that it signed counts. Its services go on. Adding it again makes new credentials.",
    )
    .argument('<host>', "the host's id", parseId)
    .option(JSON_FLAG, 'print JSON, for programs')
    .addHelpText('after', examples('muster host remove web2'))
    .action((id: string, _options: unknown, command: Command) =>
      run(() => removeOne(id, command.optsWithGlobals<HostOptions>(), context)),
    );
}

async function add(
  host: string,
  { json, ...flags }: HostOptions,
  { terminal, readSettings }: Context,
): Promise<ExitCode> {
  const { url, token, isNew } = await enrol(host, readSettings(flags));
  if (json) {
    terminal.printJson({ host, url, isNew, token });
    return EXIT.ok;
  }
  terminal.note(
    `${isNew ? 'made' : 'kept'} the credentials of '${host}'; it will connect to ${url} (another address: --url)`,
    `type the line below on ${host}, in a built clone of Muster; it holds a secret: to keep it out of the`,
    "shell's history type npx muster join there and paste it then",
  );
  terminal.print(`npx muster join ${token}`);
  return EXIT.ok;
}

const WHY_STILL = {
  'no-prober': 'no health-prober leads now; run this again when one does',
  refused: 'the leading health-prober refused; see muster events',
  'still-heard': 'its agent is still heard; run this again',
} as const;

async function removeOne(
  host: string,
  { json, ...flags }: HostOptions,
  { terminal, readSettings, signal }: Context,
): Promise<ExitCode> {
  const settings = readSettings(flags);
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
