/**
 * What each rule looks at. Facts come from an agent's events (live, in order per instance) or from its last status (after
 * a restart of the judge); rules turn them into observations and keep nothing but the tale of each instance.
 * Times in `…Ms` are monotonic milliseconds of the judge.
 */
import { comparePositions, type InstanceEvent, type InstanceStatus, NONE, type Position } from '@muster/contracts';
import { nameOf, type Observation, type RuleName, type Subject } from './alert.ts';
import type { Judgement } from './judge.ts';

/** After this long without another fall a restart loop is over, and so does the agent see it. */
export const GOOD_RUN_MS = 10 * 60_000;

/** An instance as its agent last described it. */
export interface Fact extends Position {
  readonly id: string;
  readonly host: string;
  readonly service: string;
  readonly instance: number;
  readonly generation: number;
  readonly state: InstanceStatus['state'];
  readonly ready: InstanceStatus['ready'];
  readonly desired: InstanceStatus['desired'];
  readonly reason: string;
  readonly onProbation: boolean;
  readonly isLooping: boolean;
  readonly restarts: number;
}

/** It ended and nobody had asked for it. */
export interface Fall {
  readonly eventId: string;
  /** RFC 3339. */
  readonly time: string;
  readonly reason: string;
}

/** What is remembered of one instance between two events. */
export interface Tale {
  readonly fact: Fact;
  /** The fall that it has not yet got up from. */
  readonly fall?: Fall | undefined;
  readonly lastFallMs: number;
  /** Why it last fell: what a loop is about. */
  readonly lastFallReason: string | undefined;
}

/** A fall and the event that ended it. */
export interface Healing {
  readonly fall: Fall;
  readonly seen: Observation;
}

export interface Telling {
  readonly tale: Tale;
  readonly observations: readonly Observation[];
  readonly healing?: Healing;
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
  const isLooping = false;
  const onProbation = status.onProbation ?? false;
  return {
    id,
    epoch,
    seq,
    host,
    service,
    instance,
    generation,
    state,
    ready,
    desired,
    reason,
    restarts,
    isLooping,
    onProbation,
  };
}

/** The next event of an instance. `fallBefore` is a fall of an earlier life of the judge, for an instance without a tale. */
export function tellEvent(tale: Tale | undefined, event: InstanceEvent, nowMs: number, fallBefore?: Fall): Telling {
  const fact = factOfEvent(event);
  const isFall = isFallen(tale?.fact, event);
  const wentDown: Fall | undefined = isFall ? { eventId: event.id, time: event.time, reason: event.reason } : undefined;
  // A start that fails again belongs to the first fall.
  const fall = (tale === undefined ? fallBefore : tale.fall) ?? wentDown;
  const isOver = event.desired === 'down' || ['running', 'stopped', 'completed', 'failed'].includes(event.to);
  const lastFallMs = isFall ? nowMs : (tale?.lastFallMs ?? nowMs);
  // The end of a backoff is a fall's second half: why it fell was said in the first.
  const saysWhy = isFall && event.from !== 'backoff';
  const lastFallReason = saysWhy ? event.reason : tale?.lastFallReason;
  const healing = fall !== undefined && event.to === 'running' && event.desired === 'up' ? heal(fact, fall) : undefined;
  return {
    tale: { fact, fall: isOver ? undefined : fall, lastFallMs, lastFallReason },
    observations: observeFact(fact, lastFallReason),
    ...(healing !== undefined && { healing }),
  };
}

/** A status read after a restart of the judge: the present, without the way there. Older than the tale, it says nothing. */
export function tellStatus(tale: Tale | undefined, status: InstanceStatus, nowMs: number): Telling | undefined {
  const fact = factOfStatus(status);
  if (tale !== undefined && comparePositions(fact, tale.fact) <= 0) return undefined;
  const observations = observeFact(fact).filter(({ rule }) => rule !== 'restart-loop');
  const { fall, lastFallMs = nowMs, lastFallReason } = tale ?? {};
  return { tale: { fact, fall, lastFallMs, lastFallReason }, observations };
}

/** An agent's word that a run ended unasked: it goes into backoff, or begins again with an exit or one more restart. */
function isFallen(before: Fact | undefined, { to, from, exit, restarts, desired }: InstanceEvent): boolean {
  if (desired === 'down') return false;
  if (to === 'backoff') return from !== 'backoff';
  return to === 'starting' && (exit !== undefined || (before !== undefined && (restarts ?? 0) > before.restarts));
}

function heal(fact: Fact, fall: Fall): Healing {
  const summary = `${nameOf(fact)} went down and was restarted`;
  const seen = observation('restarted', fact, true, summary, fall.reason, fact.state);
  return { fall, seen: { ...seen, causes: [fall.eventId, fact.id] } };
}

/** What the fact says; of a loop the last fall says more than the step that it is at. */
export function observeFact(fact: Fact, lastFallReason?: string): readonly Observation[] {
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
      ? observation('restart-loop', fact, true, `${name} keeps restarting`, lastFallReason ?? reason, restarts)
      : observation('restart-loop', fact, false, `${name} no longer keeps restarting`, reason, restarts),
  ];
  // A verdict is about something that is meant to run and does; who is not has its own alert, or nobody wants it.
  const isOut = desired === 'down' || state === 'failed' || state === 'completed' || state === 'stopped';
  return isOut ? [...seen, observation('unhealthy', fact, false, `${name} is ${state}`, reason, state)] : seen;
}

/** A loop leaves no event behind when it ends quietly. */
export function tellQuiet(tale: Tale, nowMs: number): readonly Observation[] {
  const { fact, lastFallMs } = tale;
  if (fact.state !== 'running' || fact.ready === 'no' || nowMs - lastFallMs < GOOD_RUN_MS) return [];
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

export function observeHost(host: string, silentMs: number, lastBeatId: string | undefined): Observation {
  const subject: Subject = { host, service: NONE };
  const isOn = silentMs > 0;
  return {
    rule: 'host-gone',
    subject,
    isOn,
    summary: isOn ? `host ${host} is not heard` : `host ${host} is heard again`,
    reason: isOn ? 'three presence beats in a row were missed' : 'its presence is back',
    causes: isOn && lastBeatId !== undefined ? [lastBeatId] : [],
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
