/**
 * What each rule looks at. Facts come from an agent's events (live, in order per instance) or from its last status (after
 * a restart of the leader); rules turn them into observations and keep nothing but the history of each instance.
 * Times in `…Ms` are monotonic milliseconds of the leader.
 */
import { comparePositions, type InstanceEvent, type InstanceStatus, NONE, type Position } from '@muster/contracts';
import { nameOf, type Observation, type RuleName, type Subject } from './alert.ts';
import type { Judgement } from './judge.ts';

/** After this long without another outage a restart loop is over, and so does the agent see it. */
export const GOOD_RUN_MS = 10 * 60_000;

/** An instance as its agent last described it. */
export type Fact = Readonly<
  Pick<InstanceStatus, 'id' | 'host' | 'service' | 'instance' | 'generation' | 'state' | 'ready' | 'desired' | 'reason'>
> &
  Position & { readonly onProbation: boolean; readonly isLooping: boolean; readonly restarts: number };

/** It ended and nobody had asked for it. */
export interface Outage {
  readonly eventId: string;
  /** RFC 3339. */
  readonly time: string;
  readonly reason: string;
}

/** What is remembered of one instance between two events. */
export interface InstanceHistory {
  readonly fact: Fact;
  /** The outage that it is still in. */
  readonly outage?: Outage | undefined;
  readonly lastOutageMs: number;
  /** Why it last went down: what a loop is about. */
  readonly lastOutageReason: string | undefined;
}

/** An outage and the event that ended it. */
export interface Recovery {
  readonly outage: Outage;
  readonly seen: Observation;
}

export interface Reading {
  readonly history: InstanceHistory;
  readonly observations: readonly Observation[];
  readonly recovery?: Recovery;
}

function factOfEvent(event: InstanceEvent): Fact {
  const { id, epoch, seq, host, service, instance, generation, to, ready, desired, reason } = event;
  const rest = { onProbation: event.onProbation ?? false, isLooping: event.restartLoop ?? false };
  const restarts = event.restarts ?? 0;
  return { id, epoch, seq, host, service, instance, generation, state: to, ready, desired, reason, restarts, ...rest };
}

function factOfStatus(status: InstanceStatus): Fact {
  const { id, epoch, seq, host, service, instance, generation, state, ready, desired, reason, restarts } = status;
  // Its count of restarts is as old as the status: whether they are still within their window it can't say.
  const rest = { onProbation: status.onProbation ?? false, isLooping: false };
  return { id, epoch, seq, host, service, instance, generation, state, ready, desired, reason, restarts, ...rest };
}

/** The next event of an instance. `outageBefore` is an outage of an earlier life of the leader, for an instance without a history. */
export function readEvent(
  history: InstanceHistory | undefined,
  event: InstanceEvent,
  nowMs: number,
  outageBefore?: Outage,
): Reading {
  const fact = factOfEvent(event);
  const isOutage = isDown(history?.fact, event);
  const wentDown: Outage | undefined = isOutage
    ? { eventId: event.id, time: event.time, reason: event.reason }
    : undefined;
  // A start that fails again belongs to the first outage.
  const outage = (history === undefined ? outageBefore : history.outage) ?? wentDown;
  const isOver = event.desired === 'down' || ['running', 'stopped', 'completed', 'failed'].includes(event.to);
  const lastOutageMs = isOutage ? nowMs : (history?.lastOutageMs ?? nowMs);
  // The end of a backoff is an outage's second half: why it went down was said in the first.
  const saysWhy = isOutage && event.from !== 'backoff';
  const lastOutageReason = saysWhy ? event.reason : history?.lastOutageReason;
  const recovery =
    outage !== undefined && event.to === 'running' && event.desired === 'up' ? recoveryFrom(fact, outage) : undefined;
  return {
    history: { fact, outage: isOver ? undefined : outage, lastOutageMs, lastOutageReason },
    observations: observeFact(fact, lastOutageReason),
    ...(recovery !== undefined && { recovery }),
  };
}

/** A status read after a restart of the leader: the present, without the way there. Older than the history, it says nothing. */
export function readStatus(
  history: InstanceHistory | undefined,
  status: InstanceStatus,
  nowMs: number,
): Reading | undefined {
  const fact = factOfStatus(status);
  if (history !== undefined && comparePositions(fact, history.fact) <= 0) return undefined;
  const observations = observeFact(fact).filter(({ rule }) => rule !== 'restart-loop');
  const { outage, lastOutageMs = nowMs, lastOutageReason } = history ?? {};
  return { history: { fact, outage, lastOutageMs, lastOutageReason }, observations };
}

/** An agent's word that a run ended unasked: it goes into backoff, or begins again with an exit or one more restart. */
function isDown(before: Fact | undefined, { to, from, exit, restarts, desired }: InstanceEvent): boolean {
  if (desired === 'down') return false;
  if (to === 'backoff') return from !== 'backoff';
  return to === 'starting' && (exit !== undefined || (before !== undefined && (restarts ?? 0) > before.restarts));
}

function recoveryFrom(fact: Fact, outage: Outage): Recovery {
  const summary = `${nameOf(fact)} went down and was restarted`;
  const seen = observation('restarted', fact, true, summary, outage.reason, fact.state);
  return { outage, seen: { ...seen, causes: [outage.eventId, fact.id] } };
}

/** What the fact says; of a loop the last outage says more than the step that it is at. */
export function observeFact(fact: Fact, lastOutageReason?: string): readonly Observation[] {
  const { state, desired, reason, restarts } = fact;
  const name = nameOf(fact);
  const isFailed = desired === 'up' && (state === 'failed' || fact.onProbation);
  const isLooping =
    desired === 'up' && fact.isLooping && state !== 'failed' && !fact.onProbation && state !== 'completed';
  const seen = [
    isFailed
      ? observation('failed', fact, true, `${name} has failed`, reason, state)
      : observation('failed', fact, false, `${name} is no longer failed`, reason, state),
    isLooping
      ? observation('restart-loop', fact, true, `${name} keeps restarting`, lastOutageReason ?? reason, restarts)
      : observation('restart-loop', fact, false, `${name} no longer keeps restarting`, reason, restarts),
  ];
  // A verdict is about something that is meant to run and does; who is not has its own alert, or nobody wants it.
  const isOut = desired === 'down' || state === 'failed' || state === 'completed' || state === 'stopped';
  return isOut ? [...seen, observation('unhealthy', fact, false, `${name} is ${state}`, reason, state)] : seen;
}

/** A loop leaves no event behind when it ends quietly. */
export function readQuiet(history: InstanceHistory, nowMs: number): readonly Observation[] {
  const { fact, lastOutageMs } = history;
  if (fact.state !== 'running' || fact.ready === 'no' || nowMs - lastOutageMs < GOOD_RUN_MS) return [];
  const reason = 'it has run well for 10 min';
  const seen = observation('restart-loop', fact, false, `${nameOf(fact)} no longer keeps restarting`, reason, 0);
  // Caused by the passing of time, not by the event that the fact came from.
  return [{ ...seen, causes: [] }];
}

/** The instance is no longer configured. */
export function observeGone(subject: Subject): readonly Observation[] {
  const rules: readonly RuleName[] = ['failed', 'restart-loop', 'unhealthy'];
  const reason = 'it is no longer configured there';
  const summary = `${nameOf(subject)} is gone`;
  return rules.map((rule) => ({ rule, subject, isOn: false, summary, reason, causes: [], value: 'gone' }));
}

/** The judge's own verdict; nothing while it confirms, doubts, or cannot tell. */
export function observeVerdict(subject: Subject, judgement: Judgement, isHostGone: boolean): Observation | undefined {
  const { verdict, hardness, reason, votes } = judgement;
  if (hardness === 'soft') return undefined;
  const causes = votes.map(({ reportId }) => reportId);
  const base = { rule: 'unhealthy', subject, reason, causes, value: verdict } as const;
  // While its host is gone that is the news, and this its consequence.
  if (verdict === 'unhealthy' && !isHostGone)
    return { ...base, isOn: true, summary: `${nameOf(subject)} is unhealthy` };
  if (verdict === 'healthy' || verdict === 'degraded') {
    return { ...base, isOn: false, summary: `${nameOf(subject)} is ${verdict} again` };
  }
  return undefined;
}

export function observeHost(host: string, silentMs: number, lastHeartbeatId: string | undefined): Observation {
  const subject: Subject = { host, service: NONE };
  const isOn = silentMs > 0;
  return {
    rule: 'host-gone',
    subject,
    isOn,
    summary: isOn ? `host ${host} is not heard` : `host ${host} is heard again`,
    reason: isOn ? 'three presence heartbeats in a row were missed' : 'its presence is back',
    causes: isOn && lastHeartbeatId !== undefined ? [lastHeartbeatId] : [],
    value: isOn ? 'silent' : 'heard',
  };
}

/** The host was taken away: nobody misses it any more. */
export function observeRemovedHost(host: string): Observation {
  const reason = 'the host was taken away';
  return {
    rule: 'host-gone',
    subject: { host, service: NONE },
    isOn: false,
    summary: `host ${host} is forgotten`,
    reason,
    causes: [],
    value: 'forgotten',
  };
}

function observation(
  rule: RuleName,
  fact: Fact,
  isOn: boolean,
  summary: string,
  reason: string,
  value: number | string,
): Observation {
  const { id, host, service, instance, generation } = fact;
  return { rule, subject: { host, service, instance, generation }, isOn, summary, reason, causes: [id], value };
}
