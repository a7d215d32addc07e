import { type ComponentEvent, type InstanceEvent, rows } from '@muster/contracts';
import type { Bus } from '@muster/contracts/bus';
import type { Command } from 'commander';
import { connect, OPERATOR } from '../connect.ts';
import type { Context, ExitCode, Run } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { Denial, follow } from '../follow.ts';
import { parseCount, parseId } from '../option-values.ts';
import { renderHostEvent, renderInstanceEvent } from '../render/events.ts';
import type { Terminal } from '../terminal.ts';
import { addReader, examples, type ReadOptions } from './options.ts';

interface EventsOptions extends ReadOptions {
  readonly follow?: true;
  readonly host?: string;
  readonly service?: string;
  readonly last: number;
}

export function addEvents(program: Command, context: Context, run: Run): void {
  addReader(
    program,
    'events',
    'show the last transitions, or follow what happens',
    'Shows the last events of services and hosts, oldest first. With -f it goes on with those that come, until Ctrl-C.',
  )
    .option('-f, --follow', 'go on with the events that come')
    .option('--host <id>', 'only of this host', parseId)
    .option('--service <id>', 'only of this service', parseId)
    .option('--last <count>', 'how many past events', parseCount, 50)
    .addHelpText(
      'after',
      examples('muster events --last 20', 'muster events -f --service rag-api', 'muster events -f --host web1 --json'),
    )
    .action((_options: unknown, command: Command) =>
      run(() => events(command.optsWithGlobals<EventsOptions>(), context)),
    );
}

/** One event, of a service or of a host itself, as it is printed. */
type Shown =
  | { readonly kind: 'instance'; readonly event: InstanceEvent }
  | { readonly kind: 'host'; readonly host: string; readonly event: ComponentEvent };

async function events(options: EventsOptions, context: Context): Promise<ExitCode> {
  const { json, follow: isFollowing, host, service, last, ...flags } = options;
  const { terminal, signal } = context;
  const settings = context.readSettings(flags);
  const denial = new Denial();
  await using bus = await connect(settings, OPERATOR, signal, denial.tell);
  const filter = { ...(host !== undefined && { host }), ...(service !== undefined && { service }) };

  const print = (shown: Shown) => printEvent(shown, json === true, terminal);
  // What comes while the past is being read is printed after it, and only once.
  const early: Shown[] = [];
  let isPast = true;
  const onEvent = (shown: Shown) => {
    if (isPast) early.push(shown);
    else print(shown);
  };
  if (isFollowing) {
    bus.subscribe(rows.instanceEvent, filter, (event) => onEvent({ kind: 'instance', event }));
    if (service === undefined) {
      bus.subscribe(rows.hostEvent, filter, (event, params) => onEvent({ kind: 'host', host: params.host, event }));
    }
    await bus.flush();
  }
  const past = await readPast(bus, filter, last, signal);
  for (const shown of past) print(shown);
  if (!isFollowing) return EXIT.ok;
  const printed = new Set(past.map(({ event }) => event.id));
  for (const shown of early) if (!printed.has(shown.event.id)) print(shown);
  isPast = false;
  await follow(bus, terminal, denial.signal, signal);
  return EXIT.ok;
}

/** In the order in which the stream has them. */
async function readPast(
  bus: Bus,
  filter: { readonly host?: string; readonly service?: string },
  last: number,
  signal: AbortSignal,
): Promise<Shown[]> {
  const [ofInstances, ofHosts] = await Promise.all([
    bus.history(rows.instanceEvent, filter, { last, signal }),
    filter.service === undefined ? bus.history(rows.hostEvent, filter, { last, signal }) : [],
  ]);
  const stored = [
    ...ofInstances.map(({ seq, message }) => ({ seq, shown: { kind: 'instance', event: message } as const })),
    ...ofHosts.map(({ seq, message, params }) => ({
      seq,
      shown: { kind: 'host', host: params.host, event: message } as const,
    })),
  ];
  return stored
    .sort((a, b) => a.seq - b.seq)
    .slice(-last)
    .map(({ shown }) => shown);
}

function printEvent(shown: Shown, isJson: boolean, terminal: Terminal): void {
  if (isJson) terminal.printJson(shown.kind === 'host' ? { host: shown.host, ...shown.event } : shown.event);
  else if (shown.kind === 'host') terminal.print(renderHostEvent(shown.host, shown.event, terminal.paint));
  else terminal.print(renderInstanceEvent(shown.event, terminal.paint));
}
