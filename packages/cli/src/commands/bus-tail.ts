import { matchRows } from '@muster/contracts';
import { type BusCounters, followRevocations } from '@muster/contracts/bus';
import type { Command } from 'commander';
import { connect, OPERATOR } from '../bus/connect.ts';
import { Denial, follow } from '../bus/follow.ts';
import type { Act, Context, ExitCode } from '../context.ts';
import { CliError, EXIT } from '../exit-codes.ts';
import { parseCount } from '../option-values.ts';
import { renderMessage } from '../render/message.ts';
import { addReader, examples, type JsonOptions } from './options.ts';

interface TailOptions extends JsonOptions {
  readonly count?: number;
}

export function addBusTail(bus: Command, act: Act): void {
  addReader(
    bus,
    'tail',
    'print what travels on the bus, decoded',
    'Prints each message that comes, decoded, on one line, until Ctrl-C. What cannot be read is counted, and told at the end.',
  )
    .argument(
      '<pattern>',
      "subjects below the environment's root with * and >, or the name of a row of docs/protocol.md",
    )
    .option('--count <n>', 'end after so many messages', parseCount)
    .addHelpText(
      'after',
      examples(
        "muster bus tail '>'",
        "muster bus tail 'host.web1.>'",
        "muster bus tail 'service.*.rag-api.*.event' --json",
        'muster bus tail hostPresence --count 3',
      ),
    )
    .action(act(tail));
}

async function tail(pattern: string, { json, count, ...flags }: TailOptions, context: Context): Promise<ExitCode> {
  const { terminal, signal } = context;
  const settings = context.readSettings(flags);
  const matches = matchRows(settings.environment, pattern);
  if (matches.length === 0) {
    const example = "write such as 'host.web1.>', 'alert.critical.>' or instanceEvent";
    throw new CliError('usage', `no message of Muster has a subject like '${pattern}': ${example}`);
  }
  const denial = new Denial();
  await using bus = await connect(settings, OPERATOR, signal, denial.tell);
  // Only what is signed is refused for its sender's key.
  if (matches.some(({ row }) => row.isSigned)) followRevocations(bus);
  const enough = new AbortController();
  let printed = 0;
  for (const { name, row, filter } of matches) {
    bus.subscribe(row, filter, (message, params) => {
      if (printed === count) return;
      if (json) terminal.printJson({ row: name, params, message });
      else terminal.print(renderMessage(name, params, message as Record<string, unknown>, terminal.paint));
      printed += 1;
      if (printed === count) enough.abort();
    });
  }
  await follow(bus, terminal, denial.signal, AbortSignal.any([signal, enough.signal]));
  tellUnread(bus.counters, terminal);
  return EXIT.ok;
}

function tellUnread({ malformed, oversize, foreign, forged }: BusCounters, terminal: Context['terminal']): void {
  if (malformed + oversize + foreign + forged === 0) return;
  terminal.note(
    `muster: not shown: ${malformed} malformed, ${oversize} too large, ${foreign} for somebody else, ${forged} forged`,
  );
}
