import { LOG_LEVELS, type LogLevelName, type LogOffsets } from '@muster/contracts';
import type { Bus } from '@muster/contracts/bus';
import { type FleetCommands, type LogEntry, type LogQuery, type LogSource, readLogs } from '@muster/contracts/client';
import type { Pattern } from '@muster/contracts/pattern';
import { type Command, Option } from 'commander';
import { connect, OPERATOR } from '../bus/connect.ts';
import { tellOfBus } from '../bus/follow.ts';
import type { Act, Context, ExitCode } from '../context.ts';
import { CliError, EXIT } from '../exit-codes.ts';
import { askAgents, problemOf } from '../fleet/agents.ts';
import { findInstances, notFound, storedOf } from '../fleet/find-instances.ts';
import { openFleet } from '../fleet/read-fleet.ts';
import { formatTarget, isMatch, parseTarget, type Target } from '../fleet/target.ts';
import { parseCount, parseId, parseMoment, parsePattern } from '../option-values.ts';
import { renderGap, renderLine } from '../render/logs.ts';
import type { Terminal } from '../terminal.ts';
import { addReader, examples, type JsonOptions } from './options.ts';

interface LogsOptions extends JsonOptions {
  readonly follow?: true;
  readonly since?: Date;
  readonly until?: Date;
  readonly level?: LogLevelName;
  readonly grep?: string;
  readonly regex?: Pattern;
  readonly host?: string;
  readonly stream?: 'stdout' | 'stderr';
  readonly lines?: number;
  readonly onHost?: true;
}

const DEFAULT_LINES = 100;
/** The agent looks for a second at most, and answers one after the other. */
const ANSWER_TIMEOUT_MS = 10_000;

export function addLogs(program: Command, act: Act): void {
  addReader(
    program,
    'logs',
    'show what services print, of all hosts together',
    'Shows the lines that were shipped to the bus, oldest first, and with -f those that come. What was left out there, for it was more than the rate that services.yaml allows, is shown as a gap. With --on-host the host itself is asked: it has every line.',
  )
    .argument('[service]', 'rag-api, web1/rag-api or web1/rag-api.0; default: all')
    .option('-f, --follow', 'go on with the lines that come')
    .option('--since <time>', 'from then on: an age such as 1h, or 2026-03-01T12:00:00Z', parseMoment)
    .option('--until <time>', 'up to then', parseMoment)
    .addOption(new Option('--level <level>', 'at least so severe').choices(LOG_LEVELS))
    .option('--grep <text>', 'only lines with this text, in capitals or not')
    .option('--regex <expression>', 'only lines in which this regular expression (RE2) is found', parsePattern)
    .option('--host <id>', 'only of this host', parseId)
    .addOption(new Option('--stream <name>', 'only of this one').choices(['stdout', 'stderr']))
    .option('--lines <count>', `the last so many (default: ${DEFAULT_LINES}, or all with --since)`, parseCount)
    .option('--on-host', "read the files on the service's host, by its agent")
    .addHelpText(
      'after',
      examples(
        'muster logs',
        'muster logs rag-api -f',
        'muster logs --since 1h --level warn',
        'muster logs web1/rag-api --grep "connection lost" --json',
        'muster logs web1/rag-api --on-host --lines 1000',
      ),
    )
    .action(act(logs));
}

async function logs(text: string | undefined, options: LogsOptions, context: Context): Promise<ExitCode> {
  const { json, follow, since, until, level, grep, regex, host, stream, lines, onHost, ...flags } = options;
  const named = text === undefined ? undefined : parseTarget(text);
  if (named?.host !== undefined && host !== undefined && named.host !== host) {
    throw new CliError('usage', `'${text}' is not on host '${host}': leave one of them out`);
  }
  const { terminal, signal } = context;
  const settings = context.readSettings(flags);
  const place = { ...named, ...(host !== undefined && { host }) };
  const last = lines ?? (since === undefined ? DEFAULT_LINES : undefined);
  const query: LogQuery = { ...place, stream, level, text: grep, regex, since, until, last, follow };
  const print = (entry: LogEntry) => printEntry(entry, json === true, terminal);

  if (onHost) {
    if (named === undefined) throw new CliError('usage', 'which service? --on-host needs one: web1/rag-api');
    if (follow) throw new CliError('usage', '--on-host reads what there is: leave out -f, or --on-host');
    await using bus = await connect(settings, OPERATOR, signal);
    await readOnHost(bus, settings.actor, { ...named, ...place }, query, print, signal);
    return EXIT.ok;
  }
  await using bus = await connect(settings, OPERATOR, signal);
  const stopTelling = follow ? tellOfBus(bus, terminal, 'the bus is back, going on where it was') : undefined;
  let count = 0;
  for await (const entry of readLogs(bus, query, signal)) {
    print(entry);
    count += 1;
  }
  stopTelling?.();
  if (count === 0 && !follow) await explainSilence(bus, settings.actor, named, context);
  return EXIT.ok;
}

/** @throws CliError (notFound) when there is no such service */
async function explainSilence(bus: Bus, actor: string, target: Target | undefined, context: Context): Promise<void> {
  if (target !== undefined) {
    using fleet = await openFleet(bus, actor, storedOf(target.host, 'status'), context.signal);
    const isKnown = [...fleet.snapshot().status.values()].some((ref) => isMatch(target, ref));
    if (!isKnown) throw await notFound(bus, actor, target, context.signal);
  }
  context.terminal.note('muster: no lines');
}

/** All instances that are meant, one behind the other. */
async function readOnHost(
  bus: Bus,
  actor: string,
  target: Target,
  query: LogQuery,
  print: (entry: LogEntry) => void,
  signal: AbortSignal,
): Promise<void> {
  const { instances } = await findInstances(bus, actor, target, signal);
  const agents = askAgents(bus, actor, ANSWER_TIMEOUT_MS);
  for (const { host, service, instance, generation } of instances) {
    const source = { host, service, instance, generation };
    for (const line of await readBackwards(agents, source, query, signal)) {
      print({ kind: 'line', source, line: { ...line, time: line.time ?? '' } });
    }
  }
}

/** Page by page from the end, until there are enough or no more. */
async function readBackwards(
  agents: FleetCommands,
  { host, service, instance }: LogSource,
  { stream, level, text, regex, since, until, last = 10_000 }: LogQuery,
  signal: AbortSignal,
) {
  const wanted = {
    ...(stream !== undefined && { stream }),
    ...(level !== undefined && { level }),
    ...(text !== undefined && { text }),
    ...(regex !== undefined && { regex: regex.source }),
    ...(since !== undefined && { since: since.toISOString() }),
    ...(until !== undefined && { until: until.toISOString() }),
  };
  const pages = [];
  let missing = last;
  let before: LogOffsets | undefined;
  do {
    const page = { service, instance, lines: missing, ...wanted, ...(before !== undefined && { before }) };
    const result = await agents.command(host, 'logs', page, signal);
    if (result.outcome !== 'accepted') {
      const whose = formatTarget({ host, service, instance });
      throw new CliError('failed', `cannot read the log of ${whose}: ${problemOf(result)}`);
    }
    pages.unshift(result.reply.lines);
    missing -= result.reply.lines.length;
    before = result.reply.next;
  } while (missing > 0 && before !== undefined);
  return pages.flat();
}

function printEntry(entry: LogEntry, isJson: boolean, terminal: Terminal): void {
  const { source } = entry;
  if (!isJson) {
    terminal.print(entry.kind === 'line' ? renderLine(entry, terminal.paint) : renderGap(entry, terminal.paint));
  } else if (entry.kind === 'line') {
    const { time, ...line } = entry.line;
    terminal.printJson({ ...source, ...(time !== '' && { time }), ...line });
  } else {
    terminal.printJson({ ...source, time: entry.time, gap: entry.gap });
  }
}
