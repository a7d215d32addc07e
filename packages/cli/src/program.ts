import { messageOf, redact } from '@muster/contracts';
import { PermissionDeniedError } from '@muster/contracts/bus';
import { Command, CommanderError, Option } from 'commander';
import { addAlerts } from './commands/alerts.ts';
import { addBus } from './commands/bus.ts';
import { addEvents } from './commands/events.ts';
import { addHistory } from './commands/history.ts';
import { addHost } from './commands/host.ts';
import { addHosts } from './commands/hosts.ts';
import { addJoin } from './commands/join.ts';
import { addLogs } from './commands/logs.ts';
import { addOutcome } from './commands/outcome.ts';
import { addStatus } from './commands/status.ts';
import { addValidate } from './commands/validate.ts';
import { addVerbs } from './commands/verbs.ts';
import { addWhy } from './commands/why.ts';
import type { Act, Context, ExitCode } from './context.ts';
import { CliError, EXIT, EXIT_CODES_HELP } from './exit-codes.ts';
import { holdsJoinLine, SPOKEN_JOIN_LINE } from './hosts/join-token.ts';
import type { Terminal } from './terminal.ts';

/** Reads the command line, runs the command it names, and answers with what to exit with. Never throws for a user's mistake. */
export async function runProgram(argv: readonly string[], context: Context, version: string): Promise<ExitCode> {
  const { terminal } = context;
  let exitCode: ExitCode = EXIT.ok;
  const act: Act =
    (work) =>
    async (...given) => {
      const command = given.at(-1) as Command;
      // Commander puts the options of the command alone, and the command, behind the arguments.
      const args = given.slice(0, -2) as never[];
      exitCode = await work(...args, command.optsWithGlobals<never>(), context as never, command as never);
    };
  // Before any command, or complaint, repeats it.
  if (argv.some(holdsJoinLine)) {
    terminal.note(`muster: ${SPOKEN_JOIN_LINE}`);
    return EXIT.usage;
  }
  const program = buildProgram(terminal, act, version);
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (error) {
    return explain(error, terminal);
  }
}

function buildProgram(terminal: Terminal, act: Act, version: string): Command {
  const program = new Command('muster')
    .description('See and steer the services of a fleet.')
    .version(version)
    .addOption(new Option('--url <url>', 'address of the bus, or several with commas (MUSTER_BUS_URL)'))
    .addOption(new Option('--creds <file>', 'credentials for the bus (MUSTER_BUS_CREDENTIALS)'))
    .addOption(new Option('--env <name>', 'environment (MUSTER_ENVIRONMENT; default: development)'))
    .helpCommand(false)
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.print(text.trimEnd()),
      writeErr: (text) => terminal.note(text.trimEnd()),
    })
    .addHelpText(
      'after',
      [
        '',
        'Examples:',
        '  $ muster status',
        '  $ muster restart rag-api',
        '  $ muster why web1/rag-api',
        '  $ muster alerts -f --json',
        '',
        'A service is named as rag-api (when one host only has it), web1/rag-api, or web1/rag-api.0 for one instance.',
        '',
        EXIT_CODES_HELP,
        '',
        'MUSTER_STATE_DIR and MUSTER_CONFIG_DIR say where keys, status file and configuration are (default: .muster and',
        'config in the clone).',
      ].join('\n'),
    );
  addStatus(program, act);
  addHosts(program, act);
  addVerbs(program, act);
  addOutcome(program, act);
  addWhy(program, act);
  addAlerts(program, act);
  addEvents(program, act);
  addHistory(program, act);
  addLogs(program, act);
  addValidate(program, act);
  addHost(program, act);
  addJoin(program, act);
  addBus(program, act);
  return program;
}

function explain(error: unknown, terminal: Terminal): ExitCode {
  // Commander has already printed its help or complaint.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof CliError) {
    terminal.note(`muster: ${redact(error.message)}`);
    return EXIT[error.exit];
  }
  if (error instanceof PermissionDeniedError) {
    terminal.note(`muster: not allowed: these credentials may not use '${error.subject}': name others with --creds`);
    return EXIT.failed;
  }
  terminal.note(`muster: ${redact(messageOf(error))}`);
  return EXIT.failed;
}
