import { readMetricsHistory } from '@muster/contracts/client';
import { parseAge } from '@muster/contracts/config';
import { type Command, InvalidArgumentError } from 'commander';
import { connect, OPERATOR } from '../bus/connect.ts';
import type { Act, Context, ExitCode } from '../context.ts';
import { CliError, EXIT } from '../exit-codes.ts';
import { findInstances } from '../fleet/find-instances.ts';
import { formatTarget, parseTarget } from '../fleet/target.ts';
import { HISTORY_COLUMNS, renderHistory } from '../render/history.ts';
import { addReader, examples, type JsonOptions } from './options.ts';

interface HistoryOptions extends JsonOptions {
  readonly series?: string;
  /** In seconds. */
  readonly since: number;
}

export function addHistory(program: Command, act: Act): void {
  addReader(
    program,
    'history',
    'show the metrics of a service over time',
    'Draws each series of a service, oldest on the left, with its smallest, mean and largest value. A dot is a time in which nothing was measured.',
  )
    .argument('<service>', 'rag-api or web1/rag-api')
    .option('--series <name>', 'only this one, such as cpu or memory')
    .option('--since <age>', 'how far back: 30m, 24h, 7d, 1y', parseSince, 86_400)
    .addHelpText('after', examples('muster history rag-api', 'muster history web1/rag-api --series cpu --since 7d'))
    .action(act(history));
}

function parseSince(text: string): number {
  const seconds = parseAge(text);
  if (seconds === undefined || seconds < 60) throw new InvalidArgumentError('Write an age from a minute on: 24h, 7d.');
  return seconds;
}

async function history(text: string, options: HistoryOptions, context: Context): Promise<ExitCode> {
  const { json, series, since, ...flags } = options;
  const { terminal, signal } = context;
  const settings = context.readSettings(flags);
  await using bus = await connect(settings, OPERATOR, signal);
  const { target } = await findInstances(bus, settings.actor, parseTarget(text), signal);
  const { host, service } = target;
  const to = new Date();
  const query = { host, service, from: new Date(to.getTime() - since * 1_000), to, width: HISTORY_COLUMNS };
  const asker = { bus, actor: settings.actor };
  const chart = await readMetricsHistory(asker, { ...query, ...(series !== undefined && { names: [series] }) }, signal);
  const what = formatTarget({ host, service });
  if (chart.series.length === 0) {
    const known = series === undefined ? 'nothing was measured' : `no series '${series}' was measured`;
    throw new CliError('notFound', `'${what}' has no history of that time: ${known}`);
  }
  if (json) terminal.printJson({ host, service, ...chart });
  else terminal.print(...renderHistory(what, chart, terminal.paint));
  if (chart.endMissing !== undefined) terminal.note(`muster: the newest minutes may be missing: ${chart.endMissing}`);
  return EXIT.ok;
}
