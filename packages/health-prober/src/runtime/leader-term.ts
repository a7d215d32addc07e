/**
 * One term as the leading prober: from the moment the lease is ours until it is lost. It begins with what is known (the
 * saved state of an earlier life, the last values, what the streams hold since) and then goes on with what comes live.
 */
import { type AlertEvent, type Incarnation, type InstanceStatus, keys, rows, type Verdict } from '@muster/contracts';
import type { Bus, Subscription } from '@muster/contracts/bus';
import { FleetCommands } from '@muster/contracts/client';
import type { RuleName } from '../core/alert.ts';
import { majority } from '../core/judge.ts';
import type { Place, TargetRules } from '../core/reach.ts';
import { countInstances } from '../core/recovery.ts';
import type { Cadence, Caps } from '../core/schedule.ts';
import { AlertManager } from './alert-manager.ts';
import { type Answer, Answers } from './answers.ts';
import { timeAgo } from './clock.ts';
import { DependencyPublisher } from './dependency-publisher.ts';
import { EventFeed } from './event-feed.ts';
import { Fleet } from './fleet.ts';
import { HostWatch } from './host-watch.ts';
import { Mirror } from './mirror.ts';
import { OrphanedKeyCollector } from './orphaned-key-collector.ts';
import { Probing } from './probing.ts';
import type { Publisher } from './publisher.ts';
import { RevocationPublisher } from './revocation-publisher.ts';
import { type Cursor, cursorAfter, type SavedState, type StateFile } from './state-file.ts';
import { VerdictEngine } from './verdict-engine.ts';

const TICK_MS = 5_000;
/** Without a saved state, events of the last two minutes are read: a prober that died may have left them untold. */
const LOOK_BACK_MS = 120_000;
/** Alerts are read from a little earlier on, so that those of all these events are among them. */
const LOOK_BACK_MARGIN_MS = 60_000;
/** What a bus has lost that went back is sent again if it is not older than a day. */
const SENT_AGAIN_MS = 25 * 3_600_000;
/** A message has its bounds: of more keys the number is told. */
const NAMED_KEYS = 20;
/** Made from events, so that reading the events again makes them again. The others are made from what is seen now. */
const EVENT_RULES: ReadonlySet<string> = new Set<RuleName>(['failed', 'restart-loop', 'restarted']);

export interface ProbePolicy {
  readonly cadence: Cadence;
  readonly caps: Caps;
  readonly targetsPerHost: number;
  readonly rules: TargetRules;
  readonly attempts: number;
  readonly timeoutMs: number;
  readonly degradedAfterMs: number;
  /** How many vantages must agree; absent means most of them. */
  readonly quorum?: number | undefined;
}

export interface TermOptions {
  readonly bus: Bus;
  readonly prober: string;
  readonly own: Place;
  readonly policy: ProbePolicy;
  readonly stateFile: StateFile;
  /** Of the bus, when the term begins. */
  readonly incarnation: Incarnation | undefined;
  readonly publisher: Publisher;
  readonly onProblem: (what: string, error?: unknown) => void;
}

export class LeaderTerm {
  readonly #options: TermOptions;
  readonly #fleet: Fleet;
  readonly #hosts: HostWatch;
  readonly #probing: Probing;
  readonly #alerts: AlertManager;
  readonly #verdicts: VerdictEngine;
  readonly #feed: EventFeed;
  readonly #revocations: RevocationPublisher;
  readonly #votes: Subscription;
  readonly #orphanedKeys: OrphanedKeyCollector;
  readonly #dependencies: DependencyPublisher;
  #answers: Answers | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isOpen = false;
  #alertsBefore: Cursor;

  /** @throws the signal's reason; the term has then been closed. */
  static async begin(options: TermOptions, signal: AbortSignal): Promise<LeaderTerm> {
    const { bus, publisher, stateFile } = options;
    await publisher.flushed(signal);
    const remembered = placedAnew(stateFile.load(), options.incarnation);
    const [alerts, verdicts, published] = await Promise.all([
      snapshot(bus, 'alerts', signal),
      snapshot(bus, 'health', signal),
      alertsSince(bus, remembered?.alerts ?? { since: timeAgo(LOOK_BACK_MS + LOOK_BACK_MARGIN_MS) }, signal),
    ]);
    const term = new LeaderTerm(options, { remembered, alerts, verdicts, published });
    try {
      await term.#open(signal);
    } catch (error) {
      term.close();
      throw error;
    }
    return term;
  }

  private constructor(options: TermOptions, known: Known) {
    const { bus, prober, own, policy, publisher } = options;
    this.#options = options;
    this.#alertsBefore = known.remembered?.alerts ?? publisher.alerts;
    const last = lastOf(known.alerts.values(), known.published);
    for (const event of last.values()) {
      if (known.alerts.get(alertKey(event))?.id !== event.id) publisher.putAlert(event);
    }
    const firing = [...last.values()].map(({ data }) => data).filter(({ state }) => state !== 'resolved');
    this.#alerts = new AlertManager({
      isFromSavedState: known.remembered !== undefined,
      firing:
        known.remembered === undefined
          ? firing
          : [...known.remembered.firing, ...firing.filter(({ rule }) => !EVENT_RULES.has(rule))],
      outages: known.remembered?.outages ?? {},
      published: known.published,
      announce: (alert) => publisher.alert(alert),
    });
    this.#fleet = new Fleet({ bus, onChange: (key) => this.#update(key) });
    this.#revocations = new RevocationPublisher({ bus, prober, onProblem: options.onProblem });
    this.#hosts = new HostWatch({
      bus,
      expected: () => this.#fleet.hosts(),
      onSilence: (host, silentMs, heartbeatId) => this.#alerts.takeHost(host, silentMs, heartbeatId),
      onChange: (host) => {
        for (const key of this.#fleet.keysOn(host)) this.#update(key);
      },
      onHeartbeat: (presence) => {
        this.#revocations.noteHeartbeat(presence);
        this.#orphanedKeys.hear(presence);
        if (this.#isOpen) this.#alerts.takeHeartbeat(presence, (host) => this.#statusesOn(host));
      },
    });
    const commands = new FleetCommands({
      bus,
      actor: `prober/${prober}`,
      positionOf: (host) => (this.#hosts.silenceOf(host) === 0 ? this.#hosts.presenceOf(host) : undefined),
    });
    this.#orphanedKeys = new OrphanedKeyCollector({
      bus,
      commands,
      fleet: this.#fleet,
      isKnown: (host) => this.#hosts.knows(host),
      onRemoved: (host, removed) => {
        const some = removed.slice(0, NAMED_KEYS).join(', ');
        const rest = removed.length > NAMED_KEYS ? ` and ${removed.length - NAMED_KEYS} more` : '';
        publisher.component('orphaned-keys-removed', `no agent keeps these any more: ${some}${rest}`, { host });
      },
      onProblem: options.onProblem,
    });
    this.#dependencies = new DependencyPublisher({ commands, fleet: this.#fleet, hosts: this.#hosts });
    this.#verdicts = new VerdictEngine({
      policy: { maxAttempts: policy.attempts, quorum: (voters) => policy.quorum ?? majority(voters) },
      voteMaxAgeMs: 3 * policy.cadence.intervalMs,
      known: known.verdicts,
      statusOf: (key) => this.#fleet.statuses.get(key),
      whyNoVote: (key) => this.#probing.whyNoVote(key),
      stamp: () => publisher.stamp(),
      announce: (verdict) => publisher.verdict(verdict),
      onJudgement: ({ host, service, instance }, generation, judgement) =>
        this.#alerts.takeVerdict({ host, service, instance, generation }, judgement, this.#hosts.isGone(host)),
    });
    this.#probing = new Probing({
      bus,
      prober,
      own,
      fleet: this.#fleet,
      placeOf: (host) => this.#hosts.presenceOf(host),
      cadence: policy.cadence,
      caps: policy.caps,
      targetsPerHost: policy.targetsPerHost,
      rules: policy.rules,
      timeoutMs: policy.timeoutMs,
      degradedAfterMs: policy.degradedAfterMs,
      stamp: () => publisher.stamp(),
      onReport: (report) => ({
        isSoft: this.#verdicts.take(report, { kind: 'prober', id: prober })?.hardness === 'soft',
      }),
    });
    this.#votes = bus.subscribe(rows.instanceProbe, {}, (report, { host }) => {
      this.#verdicts.take(report, { kind: 'agent', id: host });
    });
    this.#feed = new EventFeed({
      bus,
      cursor: known.remembered?.events ?? { since: timeAgo(LOOK_BACK_MS) },
      onEvent: (event) => this.#alerts.takeEvent(event),
      onReading: () => {
        this.#alertsBefore = publisher.alerts;
      },
      onSynced: (cursor) => this.#save(cursor),
      onProblem: (reason) => options.onProblem(reason),
    });
  }

  get targets(): number {
    return this.#probing.targets;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#answers?.stop();
    this.#dependencies.stop();
    this.#orphanedKeys.stop();
    this.#votes.stop();
    this.#feed.stop();
    this.#probing.stop();
    this.#hosts.stop();
    this.#revocations.stop();
    this.#fleet.stop();
  }

  async #open(signal: AbortSignal): Promise<void> {
    // Statuses first: an agent puts them once their events are in the stream, so the feed then finds all of those.
    await this.#fleet.ready(signal);
    await this.#feed.start(signal);
    this.#alerts.endReplay(this.#fleet.statuses);
    this.#isOpen = true;
    // Verdicts on what is gone meanwhile go as well.
    for (const key of new Set([...this.#fleet.statuses.keys(), ...this.#verdicts.judged()])) this.#update(key);
    const { bus, prober } = this.#options;
    this.#answers = new Answers({
      bus,
      prober,
      statuses: () => this.#fleet.statuses,
      countInstances: () => countInstances(this.#fleet.instances(), (host) => this.#hosts.silenceOf(host) === 0),
      labelsOf: (host, service) => this.#fleet.specOf({ host, service })?.labels,
      probeNow: (key) => this.#probing.probeNow(key),
      forget: (host) => this.#forget(host),
    });
    this.#dependencies.start();
    this.#timer = setInterval(() => {
      this.#verdicts.judgeAll();
      this.#alerts.tick();
    }, TICK_MS);
  }

  async #forget(host: string): Promise<Answer & { keys: number }> {
    const silentMs = this.#hosts.silenceOf(host);
    if (silentMs === undefined || silentMs === 0) {
      const reason = silentMs === 0 ? `host ${host} is heard` : `it is not known yet whether host ${host} is silent`;
      return { accepted: false, code: 'wrong-state', reason, keys: 0 };
    }
    this.#hosts.forget(host);
    const keys = await this.#orphanedKeys.forget(host);
    this.#alerts.takeRemovedHost(host);
    this.#options.publisher.component('host-forgotten', `host ${host} was taken away: ${keys} keys removed`, { host });
    return { accepted: true, code: 'ok', reason: `host ${host} is forgotten`, keys };
  }

  *#statusesOn(host: string): Iterable<InstanceStatus> {
    for (const key of this.#fleet.keysOn(host)) {
      const status = this.#fleet.statuses.get(key);
      if (status !== undefined) yield status;
    }
  }

  #update(key: string): void {
    this.#orphanedKeys.changed(key.slice(0, key.indexOf('.')));
    if (!this.#isOpen) return;
    const status = this.#fleet.statuses.get(key);
    this.#probing.update(key);
    if (status === undefined) {
      this.#alerts.takeGone(key);
      this.#answers?.noteGone(key);
      if (this.#verdicts.forget(key)) this.#options.publisher.forgetVerdict(key);
      return;
    }
    this.#answers?.noteStatus(status);
    const hasUrl = this.#fleet.specOf(status)?.healthCheckUrl !== undefined;
    if (hasUrl || this.#verdicts.knows(key)) this.#verdicts.judge(key);
  }

  #save(cursor: Cursor): void {
    try {
      const { incarnation } = this.#options;
      this.#options.stateFile.save({
        ...(incarnation !== undefined && { incarnation: incarnation.incarnation }),
        events: cursor,
        alerts: this.#alertsBefore,
        firing: this.#alerts.firing.filter(({ rule }) => EVENT_RULES.has(rule)),
        outages: this.#alerts.outages,
      });
    } catch (error) {
      this.#options.onProblem('cannot save the state: after a restart older events are read again', error);
    }
  }
}

interface Known {
  readonly remembered: ReturnType<StateFile['load']>;
  readonly alerts: ReadonlyMap<string, AlertEvent>;
  readonly verdicts: ReadonlyMap<string, Verdict>;
  /** Since the state was saved or, without one, lately. */
  readonly published: readonly AlertEvent[];
}

/** The cursors of an earlier life, in the bus of today. */
function placedAnew(saved: SavedState | undefined, told: Incarnation | undefined): SavedState | undefined {
  if (saved === undefined) return undefined;
  const { incarnation } = saved;
  if (told === undefined || incarnation === undefined || told.incarnation <= incarnation) return saved;
  const events = cursorAfter(saved.events, told, incarnation, 'events', timeAgo(LOOK_BACK_MS));
  // All that is sent again may come once more, and none of it may be told once more.
  return { ...saved, events, alerts: { since: timeAgo(SENT_AGAIN_MS) } };
}

async function snapshot<B extends 'alerts' | 'health'>(bus: Bus, bucket: B, signal: AbortSignal) {
  const mirror = new Mirror(bus.kv(bucket), () => undefined);
  try {
    await mirror.ready(signal);
    return mirror.entries;
  } finally {
    mirror.stop();
  }
}

async function alertsSince(bus: Bus, { seq, since }: Cursor, signal: AbortSignal): Promise<readonly AlertEvent[]> {
  const from = seq === undefined ? { startTime: new Date(since) } : { sinceSeq: seq + 1 };
  const stored = await bus.history(rows.alert, {}, { ...from, signal });
  return stored.map(({ message }) => message);
}

/** The last event of each alert: the stream comes before the bucket, so what it has said lately is the newest. */
function lastOf(kept: Iterable<AlertEvent>, published: Iterable<AlertEvent>): ReadonlyMap<string, AlertEvent> {
  return new Map([...kept, ...published].map((event) => [event.data.fingerprint, event]));
}

function alertKey({ data: { host, service, rule } }: AlertEvent): string {
  return keys.alert(host, service, rule);
}
