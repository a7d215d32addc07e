import { Deadline, type InstanceRef, type InstanceStatus, printable } from '@muster/contracts';
import type { CommandResult } from '@muster/contracts/client';
import type { Command } from 'commander';
import { connect, OPERATOR } from '../bus/connect.ts';
import type { Act, Context, ExitCode } from '../context.ts';
import { CliError, EXIT } from '../exit-codes.ts';
import { askAgents, problemOf } from '../fleet/agents.ts';
import { findInstances } from '../fleet/find-instances.ts';
import { formatTarget, parseTarget } from '../fleet/target.ts';
import { type AcceptedCommand, waitForOutcome } from '../fleet/wait-for-outcome.ts';
import { parseDurationMs } from '../option-values.ts';
import { renderFinished, renderProgress } from '../render/outcome.ts';
import { examples, JSON_FLAG, type JsonOptions } from './options.ts';

/** What a person can ask for, and wait for. */
type Verb = 'start' | 'stop' | 'restart';

interface VerbOptions extends JsonOptions {
  readonly wait: boolean;
  /** In ms. */
  readonly timeout: number;
}

const VERBS: Readonly<Record<Verb, { readonly summary: string; readonly until: string }>> = {
  start: { summary: 'start a service and wait until it runs', until: 'it runs, and is not unready' },
  stop: { summary: 'stop a service and wait until it has stopped', until: 'it has stopped' },
  restart: { summary: 'restart a service and wait until its successor runs', until: 'its successor runs' },
};

export function addVerbs(program: Command, act: Act): void {
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
      .action(act((...asked: [string, VerbOptions, Context]) => steer(verb, ...asked)));
  }
}

async function steer(verb: Verb, text: string, options: VerbOptions, context: Context): Promise<ExitCode> {
  const { json, wait, timeout: timeoutMs, ...flags } = options;
  const { terminal, signal } = context;
  const settings = context.readSettings(flags);
  const name = parseTarget(text);
  await using bus = await connect(settings, OPERATOR, signal);
  const { target, instances } = await findInstances(bus, settings.actor, name, signal);
  const nameOf = (instance: InstanceRef) => formatTarget(instances.length > 1 ? instance : target);

  const agents = askAgents(bus, settings.actor);
  const startedAtMs = performance.now();
  const commands: AcceptedCommand[] = [];
  for (const status of instances) {
    const { host, service, instance } = status;
    const result = await agents.command(host, verb, { service, instance }, signal);
    if (result.outcome !== 'accepted') throw explainRefusal(verb, host, nameOf(status), result);
    const { accepted, reason, commandId } = result.reply;
    commands.push({ commandId, status });
    if (wait) continue;
    if (json) terminal.printJson({ target: nameOf(status), accepted, commandId, reason });
    else terminal.print(`${nameOf(status)}: accepted${reason === '' ? '' : `, ${printable(reason)}`}`);
  }
  if (!wait) return EXIT.ok;

  using deadline = new Deadline(timeoutMs, signal);
  const onProgress = (status: InstanceStatus) => terminal.note(renderProgress(status, terminal.paint));
  const outcomes = await Promise.all(
    commands.map(async (command) => {
      const finished = await waitForOutcome(command, { bus, agents, onProgress }, deadline.signal);
      const { commandId, outcome, status } = finished;
      const tookMs = performance.now() - startedAtMs;
      if (json) terminal.printJson({ outcome, status, tookMs: Math.round(tookMs) });
      else terminal.print(renderFinished(verb, finished, tookMs, terminal.paint));
      if (outcome === 'unknown') {
        terminal.note(`muster: ask again what came of it: muster outcome ${commandId} --host ${status.host}`);
      }
      return outcome;
    }),
  );
  if (outcomes.includes('unknown')) return EXIT.outcomeUnknown;
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
      return new CliError(
        'failed',
        `cannot ${verb} '${name}': ${problemOf(result)}: nothing was sent; see muster status`,
      );
    case 'unknown': {
      const ask = `muster outcome ${result.commandId} --host ${host}`;
      const message = `cannot tell whether '${name}' was asked to ${verb}: ${problemOf(result)}: ask what came of it: ${ask}`;
      return new CliError('outcomeUnknown', message);
    }
  }
}
