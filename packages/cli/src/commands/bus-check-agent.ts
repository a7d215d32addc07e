import { setTimeout as delay } from 'node:timers/promises';
import { AGENT_VERB_ROLES, type AgentVerb, commands, rows } from '@muster/contracts';
import {
  type Bus,
  type BusProblem,
  FAULTS,
  type Fault,
  followRevocations,
  type ImproperAnswer,
  uuidv7,
} from '@muster/contracts/bus';
import { type CommandResult, FleetClient } from '@muster/contracts/client';
import type { Command } from 'commander';
import { connect, OPERATOR } from '../bus/connect.ts';
import { type AgentFacts, type HeardHeartbeat, judgeAgent } from '../check/agent-check.ts';
import type { Act, Context, ExitCode } from '../context.ts';
import { CliError, EXIT } from '../exit-codes.ts';
import { parseDurationMs, parseId } from '../option-values.ts';
import { renderFindings } from '../render/findings.ts';
import { addReader, examples, type JsonOptions } from './options.ts';

interface CheckOptions extends JsonOptions {
  /** In ms. */
  readonly for: number;
}

/** Five heartbeats, at least. */
const DEFAULT_LISTEN_MS = 12_000;
const ANSWER_TIMEOUT_MS = 5_000;
/** So long an improper question is given to be answered. */
const IMPROPER_WAIT_MS = 1_500;
const MAX_EVENTS = 500;
/** No host has such a service. */
const NO_SERVICE = 'muster-check-agent';
/** What people may ask of every host, beside what is asked for its own sake. */
const OTHER_VERBS = (Object.keys(AGENT_VERB_ROLES) as AgentVerb[]).filter(
  (verb) =>
    AGENT_VERB_ROLES[verb].includes('operator') && !['status', 'why', 'outcome', 'shutdown', 'watch'].includes(verb),
);

export function addBusCheckAgent(bus: Command, act: Act): void {
  addReader(
    bus,
    'check-agent',
    'look whether an agent does what docs/write-an-agent.md says, also one that is not of Muster',
    'Listens to the agent of one host for some seconds, compares its heartbeats, its entries in the buckets and its events with each other, asks it what every agent must answer, and asks as nobody may ask. It changes nothing: what acts is asked of a service that does not exist. Exit code 1 when there is a problem, 5 when nothing is heard of the host.',
  )
    .argument('<host>', 'whose agent', parseId)
    .option('--for <time>', 'how long to listen', parseDurationMs, DEFAULT_LISTEN_MS)
    .addHelpText(
      'after',
      examples(
        'muster bus check-agent web9',
        'muster bus check-agent web9 --for 60s',
        'muster bus check-agent web9 --json | jq -r \'.findings[] | select(.level != "ok") | .text\'',
      ),
    )
    .action(act(check));
}

async function check(
  host: string,
  { json, for: listenMs, ...flags }: CheckOptions,
  context: Context,
): Promise<ExitCode> {
  const { terminal, signal } = context;
  const settings = context.readSettings(flags);
  const problems: BusProblem[] = [];
  await using bus = await connect(settings, OPERATOR, signal, (problem) => void problems.push(problem));
  followRevocations(bus);
  const facts = await gather(bus, host, listenMs, signal);
  if (facts.heartbeats.length === 0 && facts.statuses.size === 0 && facts.status.outcome === 'undelivered') {
    throw new CliError('notFound', `nothing is heard of host '${host}': start its agent, or look with muster hosts`);
  }
  const findings = judgeAgent({ ...facts, problems: problems.filter(({ subject }) => isOf(host, subject)) });
  if (json) terminal.printJson({ host, findings });
  else terminal.print(...renderFindings(findings, terminal.paint));
  return findings.some(({ level }) => level === 'problem') ? EXIT.failed : EXIT.ok;
}

/** Subjects and keys of a host bear its id as a token of its own. */
function isOf(host: string, subject = ''): boolean {
  return subject.split('.').includes(host);
}

async function gather(
  bus: Bus,
  host: string,
  listenMs: number,
  signal: AbortSignal,
): Promise<Omit<AgentFacts, 'problems'>> {
  using fleet = new FleetClient({
    bus,
    actor: `${bus.role}/${bus.id}`,
    timeoutMs: ANSWER_TIMEOUT_MS,
    follow: { buckets: ['specs', 'status'], senders: ['host'], host },
  });
  const heartbeats: HeardHeartbeat[] = [];
  fleet.onChange((change) => {
    if (change.kind === 'host-presence') heartbeats.push({ presence: change.heartbeat, atMs: performance.now() });
  });
  bus.subscribe(rows.hostMetrics, { host }, () => {});
  bus.subscribe(rows.hostEvent, { host }, () => {});
  bus.subscribe(rows.instanceProbe, { host }, () => {});
  const [status, outcome, others, improper] = await Promise.all([
    fleet.agents.status(host, signal),
    fleet.agents.outcome(host, uuidv7(), signal),
    askOthers(fleet, host, signal),
    askImproperly(bus, host),
    fleet.ready(signal),
    delay(listenMs, undefined, { signal }),
  ]);
  const [first] = fleet.statuses.values();
  const why =
    first && (await fleet.agents.ask(host, 'why', { service: first.service, instance: first.instance }, { signal }));
  const stored = await bus.history(rows.instanceEvent, { host }, { last: MAX_EVENTS, signal });
  return {
    host,
    heartbeats,
    specs: fleet.specs,
    statuses: fleet.statuses,
    events: stored.map(({ message }) => message),
    status,
    why,
    outcome,
    others,
    improper,
  };
}

/** One after the other, so that an agent that answers slowly is not flooded. */
async function askOthers(
  fleet: FleetClient,
  host: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<AgentVerb, CommandResult>> {
  const fresh = { epoch: 0, seq: 0 };
  const args: Partial<Record<AgentVerb, object>> = {
    scale: { instances: 0 },
    plan: { services: '' },
    apply: { services: '' },
    logs: { lines: 1 },
    series: { tier: '1m' },
    revocations: { list: 'none' },
  };
  const asked = new Map<AgentVerb, CommandResult>();
  for (const verb of OTHER_VERBS) {
    if (commands[verb].isReserved) continue;
    const of = { service: NO_SERVICE, ...args[verb] } as never;
    asked.set(verb, await fleet.agents.ask(host, verb, of, { fresh, signal }));
  }
  return asked;
}

async function askImproperly(bus: Bus, host: string): Promise<Record<Fault, readonly ImproperAnswer[]>> {
  const answers = await Promise.all(FAULTS.map((fault) => bus.askImproperly(host, fault, IMPROPER_WAIT_MS)));
  return Object.fromEntries(FAULTS.map((fault, at) => [fault, answers[at] ?? []])) as never;
}
