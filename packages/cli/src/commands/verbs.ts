import { Deadline, printable } from '@muster/contracts';
import type { CommandResult } from '@muster/contracts/client';
import type { Command } from 'commander';
import { connect, OPERATOR } from '../bus/connect.ts';
import type { Context, ExitCode, Run } from '../context.ts';
import { CliError, EXIT } from '../exit-codes.ts';
import { changesOf, openFleet, problemOf } from '../fleet/fleet.ts';
import type { Verb } from '../fleet/outcome.ts';
import { explainMissing, formatTarget, isMatch, parseTarget, resolveTarget } from '../fleet/target.ts';
import { type Finished, waitForOutcome } from '../fleet/wait-for-outcome.ts';
import { parseDurationMs } from '../option-values.ts';
import { renderFinished, renderProgress } from '../render/outcome.ts';
import { examples, JSON_FLAG, type ReadOptions } from './options.ts';

interface VerbOptions extends ReadOptions {
  readonly wait: boolean;
  /** In ms. */
  readonly timeout: number;
}

const VERBS: Readonly<Record<Verb, { readonly summary: string; readonly until: string }>> = {
  start: { summary: 'start a service and wait until it runs', until: 'it runs, and is not unready' },
  stop: { summary: 'stop a service and wait until it has stopped', until: 'it has stopped' },
  restart: { summary: 'restart a service and wait until its successor runs', until: 'its successor runs' },
};

export function addVerbs(program: Command, context: Context, run: Run): void {
  for (const [verb, { summary, until }] of Object.entries(VERBS) as [Verb, (typeof VERBS)[Verb]][]) {
    program
      .command(verb)
      .summary(summary)
      .description(
        `Asks the agent of its host to ${verb} a service, and waits until ${until}. Progress goes to stderr, the outcome to stdout.`,
      )
      .argument('<service>', 'rag-api (when one host only has it), web1/rag-api, or web1/rag-api.0 for one instance')
      .option('--no-wait', 'return as soon as the agent has accepted')
      .option('--timeout <time>', 'how long to wait, such as 90s or 5m', parseDurationMs, 30_000)
      .option(JSON_FLAG, 'print JSON, one line for each instance')
      .addHelpText('after', examples(`muster ${verb} rag-api`, `muster ${verb} web1/rag-api --timeout 2m`))
      .action((service: string, _options: unknown, command: Command) =>
        run(() => steer(verb, service, command.optsWithGlobals<VerbOptions>(), context)),
      );
  }
}

async function steer(verb: Verb, text: string, options: VerbOptions, context: Context): Promise<ExitCode> {
  const { json, wait, timeout: timeoutMs, ...flags } = options;
  const { terminal, signal } = context;
  const settings = context.readSettings(flags);
  const named = parseTarget(text);
  await using bus = await connect(settings, OPERATOR, signal);
  using fleet = await openFleet(bus, settings.actor, signal);
  const target = resolveTarget(named, [...fleet.snapshot().status.values()]);
  const name = formatTarget(target);

  // What the outcome is measured against.
  const status = await fleet.status(target.host, signal);
  if (status.outcome !== 'accepted') {
    const problem = printable(problemOf(status));
    throw new CliError('failed', `cannot ${verb} '${name}': ${problem}: nothing was sent; see muster status`);
  }
  const before = status.reply.instances.filter((instance) => isMatch(target, instance));
  if (before.length === 0) throw new CliError('notFound', explainMissing(target, status.reply.instances));

  const startedAtMs = performance.now();
  using changes = changesOf(fleet, target);
  await bus.flush();
  const { host, service, instance } = target;
  const result = await fleet.command(host, verb, { service, ...(instance !== undefined && { instance }) }, signal);
  if (result.outcome !== 'accepted') throw explainRefusal(verb, host, name, result);
  const { accepted, reason, commandId } = result.reply;
  if (!wait) {
    if (json) terminal.printJson({ target: name, accepted, commandId, reason });
    else terminal.print(`${name}: accepted${reason === '' ? '' : `, ${printable(reason)}`}`);
    return EXIT.ok;
  }

  const print = (finished: Finished) => {
    const tookMs = performance.now() - startedAtMs;
    if (json) terminal.printJson({ ...finished, tookMs: Math.round(tookMs) });
    else terminal.print(renderFinished(verb, finished, tookMs, terminal.paint));
  };
  using deadline = new Deadline(timeoutMs, signal);
  const outcomes = await waitForOutcome({
    verb,
    before,
    ask: () => fleet.status(host, signal),
    changes,
    onProgress: (status) => terminal.note(renderProgress(status, terminal.paint)),
    onFinished: print,
    signal: deadline.signal,
  });
  if (outcomes.includes('unknown')) {
    terminal.note(`muster: ask again what came of it: muster outcome ${commandId} --host ${host}`);
    return EXIT.outcomeUnknown;
  }
  return outcomes.includes('failed') ? EXIT.failed : EXIT.ok;
}

function explainRefusal(
  verb: Verb,
  host: string,
  name: string,
  result: Exclude<CommandResult, { outcome: 'accepted' }>,
): CliError {
  switch (result.outcome) {
    case 'refused': {
      const { code, reason } = result;
      const isMissing = code === 'unknown-service' || code === 'unknown-instance';
      const message = `cannot ${verb} '${name}': refused by its agent: ${printable(reason)} (${code})`;
      return new CliError(isMissing ? 'notFound' : 'failed', message);
    }
    case 'undelivered':
      return new CliError('failed', `cannot ${verb} '${name}': ${problemOf(result)}`);
    case 'unknown': {
      const ask = `muster outcome ${result.commandId} --host ${host}`;
      const message = `cannot tell whether '${name}' was asked to ${verb}: ${problemOf(result)}: ask what came of it: ${ask}`;
      return new CliError('outcomeUnknown', message);
    }
  }
}
