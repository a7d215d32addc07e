import { type ComponentEvent, type InstanceEvent, rows } from '@muster/contracts';
import type { Bus } from '@muster/contracts/bus';
import type { Command } from 'commander';
import { connect, OPERATOR } from '../bus/connect.ts';
import { Denial, follow } from '../bus/follow.ts';
import type { Act, Context, ExitCode } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { parseCount, parseDurationMs, parseId } from '../option-values.ts';
import { renderComponentEvent, renderInstanceEvent } from '../render/events.ts';
import type { Terminal } from '../terminal.ts';
import { addReader, examples, type JsonOptions } from './options.ts';

interface EventsOptions extends JsonOptions {
  readonly follow?: true;
  readonly host?: string;
  readonly service?: string;
  readonly last: number;
  /** In ms. */
  readonly since?: number;
}

export function addEvents(program: Command, act: Act): void {
  addReader(
    program,
    'events',
    'show the last transitions, or follow what happens',
    'Shows the last events of services, hosts, probers and the bus, oldest first; of one host also what probers and the guard of the bus say about it. With -f it goes on with those that come, until Ctrl-C.',
  )
    .option('-f, --follow', 'go on with the events that come')
    .option('--host <id>', 'only of this host', parseId)
    .option('--service <id>', 'only of this service', parseId)
    .option('--since <time>', 'only of the last so long, such as 30m or 2h', parseDurationMs)
    .option('--last <count>', 'how many past events', parseCount, 50)
    .addHelpText(
      'after',
      examples(
        'muster events --last 20',
        'muster events --since 10m --host web1',
        'muster events -f --service rag-api',
        'muster events -f --host web1 --json',
      ),
    )
    .action(act(events));
}

interface Filter {
  readonly host?: string;
  readonly service?: string;
}

/** One event as it is printed: of a service, or of a host or prober itself. */
type Shown =
  | { readonly kind: 'instance'; readonly event: InstanceEvent }
  | { readonly kind: 'host' | 'prober' | 'bus'; readonly id: string; readonly event: ComponentEvent };

async function events(options: EventsOptions, context: Context): Promise<ExitCode> {
  const { json, follow: isFollowing, host, service, last, since: sinceMs, ...flags } = options;
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
      bus.subscribe(rows.hostEvent, filter, (event, params) => onEvent({ kind: 'host', id: params.host, event }));
      bus.subscribe(rows.proberEvent, {}, (event, params) => {
        if (concerns(event, filter)) onEvent({ kind: 'prober', id: params.prober, event });
      });
      bus.subscribe(rows.busEvent, {}, (event) => {
        if (concerns(event, filter)) onEvent({ kind: 'bus', id: GUARD, event });
      });
    }
    await bus.flush();
  }
  const past = await readPast(bus, filter, { last, sinceMs }, signal);
  for (const shown of past) print(shown);
  if (!isFollowing) return EXIT.ok;
  const printed = new Set(past.map(nameOf));
  for (const shown of early) if (!printed.has(nameOf(shown))) print(shown);
  isPast = false;
  await follow(bus, terminal, denial.signal, signal);
  return EXIT.ok;
}

/** Ids are their sender's: the same one of another is another event. */
function nameOf({ event }: Shown): string {
  return `${event.source} ${event.id}`;
}

/** The bus has one, whoever runs it. */
const GUARD = 'guard';

/** A prober, or the bus, is of no host, and may speak of one. */
function concerns(event: ComponentEvent, { host }: Filter): boolean {
  return host === undefined || event.host === host;
}

/** In the order in which the stream has them. */
async function readPast(
  bus: Bus,
  filter: Filter,
  { last, sinceMs }: { readonly last: number; readonly sinceMs: number | undefined },
  signal: AbortSignal,
): Promise<Shown[]> {
  const start = sinceMs === undefined ? {} : { startTime: new Date(Date.now() - sinceMs) };
  const options = { last, ...start, signal };
  const isOfAll = filter.service === undefined;
  const [ofInstances, ofHosts, ofProbers, ofBus] = await Promise.all([
    bus.history(rows.instanceEvent, filter, options),
    isOfAll ? bus.history(rows.hostEvent, filter, options) : [],
    // All of them, for which ones concern a host is not in their subject. They are few.
    isOfAll ? bus.history(rows.proberEvent, {}, { ...start, signal }) : [],
    isOfAll ? bus.history(rows.busEvent, {}, { ...start, signal }) : [],
  ]);
  const stored = [
    ...ofInstances.map(({ seq, message }) => ({ seq, shown: { kind: 'instance', event: message } as const })),
    ...ofHosts.map(({ seq, message, params }) => ({
      seq,
      shown: { kind: 'host', id: params.host, event: message } as const,
    })),
    ...ofProbers
      .filter(({ message }) => concerns(message, filter))
      .map(({ seq, message, params }) => ({
        seq,
        shown: { kind: 'prober', id: params.prober, event: message } as const,
      })),
    ...ofBus
      .filter(({ message }) => concerns(message, filter))
      .map(({ seq, message }) => ({ seq, shown: { kind: 'bus', id: GUARD, event: message } as const })),
  ];
  return stored
    .sort((a, b) => a.seq - b.seq)
    .slice(-last)
    .map(({ shown }) => shown);
}

function printEvent(shown: Shown, isJson: boolean, terminal: Terminal): void {
  if (isJson) {
    terminal.printJson(shown.kind === 'instance' ? shown.event : { [shown.kind]: shown.id, ...shown.event });
  } else if (shown.kind === 'instance') {
    terminal.print(renderInstanceEvent(shown.event, terminal.paint));
  } else {
    const sender = shown.kind === 'host' ? shown.id : `${shown.kind} ${shown.id}`;
    terminal.print(renderComponentEvent(sender, shown.event, terminal.paint));
  }
}
