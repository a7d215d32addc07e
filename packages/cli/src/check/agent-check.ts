/*
 * What `muster bus check-agent` makes of what it heard: does this agent do what docs/write-an-agent.md says? Pure.
 */
import {
  ACTING_VERBS,
  type AgentPresence,
  type AgentVerb,
  comparePositions,
  type InstanceEvent,
  type InstanceStatus,
  keys,
  PRESENCE_INTERVAL_MS,
  PRESENCE_LIMIT_MS,
  type ServiceSpecEntry,
} from '@muster/contracts';
import { type BusProblem, type Fault, type ImproperAnswer, keysDigest } from '@muster/contracts/bus';
import type { CommandResult } from '@muster/contracts/client';
import { type Finding, ok, problem, warning } from './finding.ts';

export interface HeardHeartbeat {
  readonly presence: AgentPresence;
  /** Monotonic. */
  readonly atMs: number;
}

export interface AgentFacts {
  readonly host: string;
  readonly heartbeats: readonly HeardHeartbeat[];
  /** What was dropped of all that this agent said. */
  readonly problems: readonly BusProblem[];
  readonly specs: ReadonlyMap<string, ServiceSpecEntry>;
  readonly statuses: ReadonlyMap<string, InstanceStatus>;
  /** As the stream has them. */
  readonly events: readonly InstanceEvent[];
  readonly status: CommandResult<'status'>;
  /** Of its first instance; `undefined` when it has none. */
  readonly why: CommandResult<'why'> | undefined;
  /** Of a command that nobody has given. */
  readonly outcome: CommandResult<'outcome'>;
  /** Each other verb, asked of a service that does not exist, with a position that nobody has said. */
  readonly others: ReadonlyMap<AgentVerb, CommandResult>;
  readonly improper: Readonly<Record<Fault, readonly ImproperAnswer[]>>;
}

/** In the order in which one would write an agent. */
export function judgeAgent(facts: AgentFacts): readonly Finding[] {
  return [
    judgeHeartbeats(facts),
    judgeOrder(facts),
    judgeReadable(facts),
    judgeEntries(facts),
    judgeDigest(facts),
    judgeAnswer('status', facts.status),
    judgeStatuses(facts),
    judgeAnswer('why', facts.why),
    judgeOutcome(facts),
    judgeActing(facts),
    judgeOthers(facts),
    ...judgeImproper(facts),
    judgeEvents(facts),
    judgeLast(facts),
  ];
}

const JITTER = 0.25;
/** Of the mean, on a machine that has other things to do. */
const SLACK_MS = 500;

function judgeHeartbeats({ host, heartbeats }: AgentFacts): Finding {
  const check = 'presence';
  const remedy = `publish host.${host}.presence every ${PRESENCE_INTERVAL_MS} ms, up to a quarter earlier or later`;
  const gaps = heartbeats.slice(1).map(({ atMs }, at) => atMs - (heartbeats[at]?.atMs ?? atMs));
  if (gaps.length === 0) return problem(check, `${heartbeats.length} readable heartbeats were heard`, remedy);
  const meanMs = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  const largestMs = Math.max(...gaps);
  const text = `${heartbeats.length} heartbeats, each ${seconds(meanMs)} s, at most ${seconds(largestMs)} s apart`;
  if (largestMs > PRESENCE_LIMIT_MS) return problem(check, text, `${remedy}: the host would be taken for gone`);
  const isOff = Math.abs(meanMs - PRESENCE_INTERVAL_MS) > PRESENCE_INTERVAL_MS * JITTER + SLACK_MS;
  return isOff ? warning(check, text, remedy) : ok(check, text);
}

function judgeOrder({ host, heartbeats }: AgentFacts): Finding {
  const check = 'order';
  const wrong = heartbeats.find(({ presence }, at) => {
    const before = heartbeats[at - 1]?.presence;
    return before !== undefined && comparePositions(before, presence) >= 0;
  });
  if (wrong !== undefined) {
    const { epoch, seq } = wrong.presence;
    return problem(
      check,
      `epoch ${epoch}, seq ${seq} came behind a later one`,
      'count seq up with each ordered message',
    );
  }
  const identities = new Set(heartbeats.map(({ presence: { agentId, bootId } }) => `${agentId} ${bootId}`));
  if (identities.size > 1) {
    return problem(
      check,
      `${identities.size} agents speak for ${host}`,
      'ask claim first, and answer it: one for each host',
    );
  }
  return ok(check, 'epoch and seq of its heartbeats rise');
}

function judgeReadable({ problems }: AgentFacts): Finding {
  const check = 'readable';
  const [first] = problems;
  if (first === undefined) return ok(check, 'nothing of what it said was dropped');
  const more = problems.length > 1 ? ` and ${problems.length - 1} more` : '';
  const text = `${first.kind}: ${first.subject ?? ''}: ${first.reason}${more}`;
  return problem(check, text, 'compare it with its schema in docs/schemas/muster.v1.json');
}

function judgeEntries({ host, specs, statuses, heartbeats, events }: AgentFacts): Finding {
  const check = 'entries';
  const entries = [...specs, ...statuses];
  for (const [key, entry] of entries) {
    const { service } = entry;
    const own =
      'instance' in entry ? keys.instance(entry.host, service, entry.instance) : keys.spec(entry.host, service);
    if (own !== key)
      return problem(check, `'${key}' holds the entry of '${own}'`, "the key is made of the value's own fields");
  }
  const senders = [...entries.map(([, entry]) => entry), ...heartbeats.map(({ presence }) => presence), ...events];
  const foreign = senders.find(({ source }) => source !== `agent/${host}`);
  if (foreign !== undefined)
    return problem(check, `${foreign.source} is named as a sender`, `source is 'agent/${host}'`);
  const alone = [...statuses.values()].find(({ service }) => !specs.has(keys.spec(host, service)));
  if (alone !== undefined) {
    return problem(
      check,
      `'${alone.service}' has a status and no spec`,
      `put it under ${keys.spec(host, alone.service)}`,
    );
  }
  return ok(check, `${specs.size} specs, ${statuses.size} statuses, each under its own key`);
}

function judgeDigest({ specs, statuses, heartbeats }: AgentFacts): Finding {
  const check = 'keysDigest';
  const stored = keysDigest([...specs.keys(), ...statuses.keys()]);
  const told = heartbeats.at(-1)?.presence.keysDigest;
  if (told === stored) return ok(check, `${stored}, as of what the buckets hold`);
  const text = `it says ${told ?? 'nothing'}, and what the buckets hold is ${stored}`;
  return problem(check, text, 'the prober would take keys for left over: docs/write-an-agent.md has the algorithm');
}

function judgeAnswer(check: string, result: CommandResult | undefined): Finding {
  if (result === undefined) return warning(check, 'it has no instance to ask about');
  if (result.outcome === 'accepted') return ok(check, 'answered and signed');
  return problem(check, `${result.outcome}: ${result.reason}`, `answer command.<host>.${check} with a signed reply`);
}

function judgeStatuses({ status, statuses }: AgentFacts): Finding {
  const check = 'instances';
  if (status.outcome !== 'accepted') return warning(check, 'not known: status was not answered');
  const { instances, epoch, seq } = status.reply;
  const told = instances.map(({ host, service, instance }) => keys.instance(host, service, instance)).sort();
  const stored = [...statuses.keys()].sort();
  if (told.join() !== stored.join()) {
    const text = `it tells of ${told.join(', ') || 'none'}; the bucket has ${stored.join(', ') || 'none'}`;
    return problem(
      check,
      text,
      'keep one entry of the bucket status for each instance, and delete those that are gone',
    );
  }
  const isAhead = instances.some((one) => comparePositions(one, { epoch, seq }) > 0);
  if (isAhead)
    return problem(check, 'an instance is ahead of the answer', 'the position of an answer is the newest of all');
  return ok(check, `status and bucket have the same ${told.length}`);
}

function judgeOutcome({ outcome }: AgentFacts): Finding {
  const check = 'outcome';
  if (outcome.outcome !== 'accepted') return judgeAnswer(check, outcome);
  const { outcome: told } = outcome.reply;
  if (told === 'unknown') return ok(check, 'a command that nobody gave is unknown to it');
  return problem(check, `of a command that nobody gave it says ${told}`, "say 'unknown': nothing was done");
}

function judgeActing({ others }: AgentFacts): Finding {
  const check = 'acting';
  for (const verb of ACTING_VERBS) {
    const result = others.get(verb);
    if (result === undefined) continue;
    if (result.outcome === 'accepted') {
      const text = `${verb} of a service that does not exist, with an old position, was accepted`;
      return problem(check, text, 'refuse what quotes no position that was said within 10 s, and what is not there');
    }
    if (result.outcome !== 'refused') return problem(check, `${verb}: ${result.reason}`, 'refuse by name, signed');
  }
  return ok(check, `${ACTING_VERBS.join(', ')} refuse what is old or not there`);
}

function judgeOthers({ others }: AgentFacts): Finding {
  const check = 'questions';
  const silent = [...others].flatMap(([verb, result]) =>
    result.outcome === 'accepted' || result.outcome === 'refused' ? [] : [{ verb, reason: result.reason }],
  );
  const [first] = silent;
  if (first === undefined) return ok(check, `${others.size} other verbs are answered, or refused by name`);
  const names = silent.map(({ verb }) => verb).join(', ');
  return problem(
    check,
    `not answered: ${names}: ${first.reason}`,
    "refuse what it cannot do with 'unsupported', signed",
  );
}

const SAID: Readonly<Record<Fault, string>> = {
  unsigned: 'a question that is not signed',
  altered: 'a question of other bytes than were signed',
  elsewhere: 'a question that wants its answer outside the space of answers',
  repeated: 'the same bytes twice',
};

function judgeImproper({ improper }: AgentFacts): readonly Finding[] {
  const remedy = 'docs/protocol.md, Signing, says what is checked in which order';
  const refused = (['unsigned', 'altered', 'elsewhere'] as const).map((fault): Finding => {
    const answers = improper[fault];
    const isObeyed = answers.some(({ isAccepted }) => isAccepted) || (fault === 'elsewhere' && answers.length > 0);
    return isObeyed ? problem(fault, `${SAID[fault]}: answered`, remedy) : ok(fault, `${SAID[fault]}: not obeyed`);
  });
  return [...refused, judgeRepeated(improper.repeated.length, remedy)];
}

function judgeRepeated(answers: number, remedy: string): Finding {
  const check = 'repeated';
  if (answers > 1) return problem(check, `${SAID[check]}: answered ${answers} times`, remedy);
  if (answers === 0) return warning(check, `${SAID[check]}: not answered at all`);
  return ok(check, `${SAID[check]}: answered once`);
}

/** What is in the stream twice under one id was sent again: readers know it. */
function judgeEvents({ events }: AgentFacts): Finding {
  const check = 'events';
  const last = new Map<string, InstanceEvent>();
  const seen = new Map<string, string>();
  for (const event of new Map(events.map((event) => [event.id, event])).values()) {
    const key = keys.instance(event.host, event.service, event.instance);
    const before = last.get(key);
    if (before !== undefined && comparePositions(before, event) >= 0) {
      const text = `of ${key}, seq ${event.seq} stands behind seq ${before.seq} of epoch ${before.epoch}`;
      return problem(check, text, 'publish one after the other, each with Nats-Expected-Last-Subject-Sequence');
    }
    const position = `${event.epoch}/${event.seq}`;
    const other = seen.get(position);
    if (other !== undefined) {
      return problem(
        check,
        `epoch and seq ${position} stand on two events`,
        'each ordered message has a seq of its own',
      );
    }
    last.set(key, event);
    seen.set(position, event.id);
  }
  if (events.length === 0) return warning(check, 'the stream has none', 'each transition is one');
  return ok(check, `the last ${events.length} are in order, of ${last.size} instances`);
}

function judgeLast({ events, statuses }: AgentFacts): Finding {
  const check = 'last event';
  const last = new Map(events.map((event) => [keys.instance(event.host, event.service, event.instance), event]));
  for (const [key, status] of statuses) {
    const event = last.get(key);
    if (event === undefined) continue;
    if (comparePositions(status, event) < 0) {
      return problem(check, `'${key}' in the bucket is older than its last event`, 'first the event, then the bucket');
    }
    if (status.state !== event.to) {
      const text = `'${key}' is ${status.state} in the bucket, ${event.to} by its last event`;
      return problem(
        check,
        text,
        'run the check again if it changed meanwhile; else publish an event for each transition',
      );
    }
  }
  return ok(check, 'the bucket says what the last events say');
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(1);
}
