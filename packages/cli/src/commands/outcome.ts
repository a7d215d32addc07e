import { type CommandOutcome, rows } from '@muster/contracts';
import type { Bus } from '@muster/contracts/bus';
import type { FleetCommands } from '@muster/contracts/client';
import type { Command } from 'commander';
import { connect, OPERATOR } from '../bus/connect.ts';
import type { Act, Context, ExitCode } from '../context.ts';
import { CliError, EXIT } from '../exit-codes.ts';
import { askAgents, problemOf } from '../fleet/agents.ts';
import { storedOf } from '../fleet/find-instances.ts';
import { openFleet } from '../fleet/read-fleet.ts';
import { parseId } from '../option-values.ts';
import { type FoundOutcome, renderFoundOutcome } from '../render/found-outcome.ts';
import { addReader, examples, type JsonOptions } from './options.ts';

interface OutcomeOptions extends JsonOptions {
  readonly host?: string;
}

/** A command's id tells when it was made; the server's clock, by which records are found, may be off by this much. */
const CLOCK_MARGIN_MS = 10 * 60_000;

const EXIT_OF: Readonly<Record<CommandOutcome, ExitCode>> = {
  done: EXIT.ok,
  accepted: EXIT.ok,
  refused: EXIT.failed,
  failed: EXIT.failed,
  unknown: EXIT.outcomeUnknown,
};

export function addOutcome(program: Command, act: Act): void {
  addReader(
    program,
    'outcome',
    'ask what came of a command, by its id',
    'Asks the agents what came of a command whose answer was lost: accepted (and under way), refused, done, failed, or unknown. While an agent does not answer, the audit record of the command is looked for.',
  )
    .argument('<id>', 'the id that start, stop or restart has printed')
    .option('--host <id>', 'only ask the agent of this host', parseId)
    .addHelpText(
      'after',
      examples(
        'muster outcome 01939a00-0000-7000-8000-000000000001 --host web1',
        'muster restart api --json --no-wait',
      ),
    )
    .action(act(outcome));
}

async function outcome(id: string, { json, host, ...flags }: OutcomeOptions, context: Context): Promise<ExitCode> {
  const { terminal, signal } = context;
  const sentAtMs = timeOfId(id);
  if (sentAtMs === undefined) throw new CliError('usage', `'${id}' is not the id of a command`);
  const settings = context.readSettings(flags);
  await using bus = await connect(settings, OPERATOR, signal);
  const hosts = host === undefined ? await knownHosts(bus, settings.actor, signal) : [host];
  const found = await ask(askAgents(bus, settings.actor), hosts, id, signal);
  const isKnown = found.some((one) => one.outcome !== 'unknown');
  const recorded = isKnown ? undefined : await recordOf(bus, hosts, id, sentAtMs, signal);
  const answer = recorded ?? best(found, id);
  if (json) terminal.printJson(answer);
  else terminal.print(renderFoundOutcome(answer, terminal.paint));
  return EXIT_OF[answer.outcome];
}

async function knownHosts(bus: Bus, actor: string, signal: AbortSignal): Promise<readonly string[]> {
  using fleet = await openFleet(bus, actor, storedOf(undefined, 'status'), signal);
  return fleet.snapshot().hosts.map(({ host }) => host);
}

/** What each agent says of it. One that knows it is enough. */
function ask(
  agents: FleetCommands,
  hosts: readonly string[],
  commandId: string,
  signal: AbortSignal,
): Promise<readonly FoundOutcome[]> {
  return Promise.all(
    hosts.map(async (host): Promise<FoundOutcome> => {
      const answer = await agents.outcome(host, commandId, signal);
      if (answer.outcome !== 'accepted') {
        return { commandId, host, outcome: 'unknown', isAnswered: false, reason: problemOf(answer) };
      }
      const { outcome: what, reason, verb, service, instance } = answer.reply;
      const act = { ...(verb !== undefined && { verb }), ...(service !== undefined && { service, instance }) };
      return { commandId, host, outcome: what, isAnswered: true, reason, ...act };
    }),
  );
}

/** An agent that does not answer has at least written down what it was asked. */
async function recordOf(
  bus: Bus,
  hosts: readonly string[],
  commandId: string,
  sentAtMs: number,
  signal: AbortSignal,
): Promise<FoundOutcome | undefined> {
  const startTime = new Date(sentAtMs - CLOCK_MARGIN_MS);
  const records = await bus.history(rows.hostAudit, {}, { startTime, signal });
  const record = records.find(({ message, params }) => message.commandId === commandId && hosts.includes(params.host));
  if (record === undefined) return undefined;
  const { accepted, verb, target, reason } = record.message;
  const what = accepted ? 'its agent does not say now what came of it' : reason;
  const { host } = record.params;
  return { commandId, host, outcome: accepted ? 'accepted' : 'refused', isAnswered: false, reason: what, verb, target };
}

/** Of several unknowns: who did not answer is who may know more. */
function best(found: readonly FoundOutcome[], commandId: string): FoundOutcome {
  const known = found.find((one) => one.outcome !== 'unknown');
  if (known !== undefined) return known;
  const silent = found.filter(({ isAnswered }) => !isAnswered).map(({ host, reason }) => `${host}: ${reason}`);
  const reason =
    silent.length > 0
      ? `not every agent answers: ${silent.join('; ')}`
      : 'no agent knows that command: it reached none, or was very long ago';
  return { commandId, outcome: 'unknown', isAnswered: silent.length === 0, reason };
}

/** Commands' ids are UUIDv7, which begin with the time in ms. */
function timeOfId(id: string): number | undefined {
  return /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/u.test(id)
    ? Number.parseInt(id.slice(0, 13).replace('-', ''), 16)
    : undefined;
}
