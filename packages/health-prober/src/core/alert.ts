/**
 * The life of one alert. Rules observe; here an observation becomes a transition or nothing, so that `firing` and
 * `resolved` alternate whatever the rules say in whatever order.
 */
import {
  type AlertData,
  type AlertEvent,
  alertFingerprint,
  MAX_INSTANCES,
  NONE,
  type Severity,
} from '@muster/contracts';

/** Every rule of this version, and how loudly it speaks. */
const RULES = {
  /** It crashed and runs again: worth knowing, never a page. */
  restarted: 'info',
  /** Its restart budget is spent: only a person or a slow retry helps. */
  failed: 'critical',
  /** Half the budget is spent. It is still being healed, so nobody is woken before `failed`. */
  'restart-loop': 'warning',
  unhealthy: 'critical',
  'host-gone': 'critical',
} as const satisfies Record<string, Severity>;
export type RuleName = keyof typeof RULES;

/** What an alert is about: an instance of a service, or a host as a whole. */
export interface Subject {
  readonly host: string;
  readonly service: string;
  readonly instance?: number;
  readonly generation?: number;
}

/** What a rule sees now. */
export interface Observation {
  readonly rule: RuleName;
  readonly subject: Subject;
  readonly isOn: boolean;
  /** One line for people. */
  readonly summary: string;
  readonly reason: string;
  /** Ids of the events and reports behind it. */
  readonly causes: readonly string[];
  /** What the rule looks at. */
  readonly value: number | string;
}

export interface Sample {
  readonly time: string;
  readonly value: number | string;
}

const MAX_HISTORY = 15;
const MAX_CAUSES = 32;

/** What is left of an alert after an observation, and whether the world has to be told. */
export interface Transition {
  readonly alert: AlertData | undefined;
  readonly isNews: boolean;
}

/** The values a rule has looked at, the newest last; the oldest go. */
export function remember(history: readonly Sample[], value: number | string, time: string): readonly Sample[] {
  return [...history, { time, value }].slice(-MAX_HISTORY);
}

export function fingerprintOf({ rule, subject }: Pick<Observation, 'rule' | 'subject'>): string {
  return alertFingerprint(subject.host, subject.service, rule);
}

/** `alert` is the last one of this fingerprint; `time` is now. */
export function observe(
  alert: AlertData | undefined,
  seen: Observation,
  history: readonly Sample[],
  time: string,
): Transition {
  const isFiring = alert !== undefined && alert.state !== 'resolved';
  if (!isFiring) {
    if (!seen.isOn) return { alert, isNews: false };
    return { alert: { ...describe(seen, history), state: 'firing', startsAt: time }, isNews: true };
  }
  const { instance } = seen.subject;
  const others = alert.instances.filter((each) => each !== instance);
  if (seen.isOn) {
    const all = instance === undefined ? others : [...others, instance].sort((a, b) => a - b);
    const instances = all.slice(0, MAX_INSTANCES);
    return { alert: { ...alert, instances }, isNews: false };
  }
  const isOver = instance === undefined || others.length === 0;
  if (!isOver) return { alert: { ...alert, instances: others }, isNews: false };
  const causes = [...alert.causes, ...seen.causes].slice(-MAX_CAUSES);
  const { summary, reason } = seen;
  const resolved: AlertData = {
    ...alert,
    summary,
    reason,
    causes,
    history: [...history],
    state: 'resolved',
    endsAt: time,
  };
  return { alert: resolved, isNews: true };
}

/** Something that was over when it became known: sent once, as resolved. */
export function observeOnce(seen: Observation, history: readonly Sample[], startsAt: string, time: string): AlertData {
  return { ...describe(seen, history), state: 'resolved', startsAt, endsAt: time };
}

function describe({ rule, subject, summary, reason, causes }: Observation, history: readonly Sample[]) {
  const { host, service, instance, generation } = subject;
  return {
    severity: RULES[rule],
    host,
    service,
    rule,
    fingerprint: alertFingerprint(host, service, rule),
    summary,
    reason,
    instances: instance === undefined ? [] : [instance],
    ...(generation !== undefined && { generation }),
    causes: causes.slice(-MAX_CAUSES),
    history: [...history],
    labels: {},
  };
}

/** The alert as it travels. */
export function cloudEvent(
  data: AlertData,
  { id, source, time, epoch, seq }: Pick<AlertEvent, 'id' | 'source' | 'time' | 'epoch' | 'seq'>,
): AlertEvent {
  return {
    specversion: '1.0',
    id,
    source,
    type: `io.muster.alert.${data.state}`,
    subject: data.fingerprint,
    time,
    datacontenttype: 'application/json',
    epoch,
    seq,
    data,
  };
}

/** For people: `api on web1`, `api/2 on web1`, `host web1`. */
export function nameOf({ host, service, instance }: Subject): string {
  if (service === NONE) return `host ${host}`;
  return `${service}${instance === undefined || instance === 0 ? '' : `/${instance}`} on ${host}`;
}
