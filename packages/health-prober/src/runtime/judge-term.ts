/**
 * One term as the leading prober: from the moment the lease is ours until it is lost. It begins with what is known (the
 * memory of an earlier life, the last values, what the streams hold since) and then goes on with what comes live.
 */
import { type AlertEvent, type Incarnation, type InstanceStatus, keys, rows, type Verdict } from '@muster/contracts';
import type { Bus, Subscription } from '@muster/contracts/bus';
import { FleetCommands } from '@muster/contracts/client';
import type { RuleName } from '../core/alert.ts';
import { majority } from '../core/judge.ts';
import type { Place, TargetRules } from '../core/reach.ts';
import { countInstances } from '../core/recovery.ts';
import type { Cadence, Caps } from '../core/schedule.ts';
import { AlertDesk } from './alert-desk.ts';
import type { Announcer } from './announcer.ts';
import { type Answer, Answers } from './answers.ts';
import { timeAgo } from './clock.ts';
import { Court } from './court.ts';
import { DependencyTeller } from './dependency-teller.ts';
import { EventFeed } from './event-feed.ts';
import { Fleet } from './fleet.ts';
import { GhostSweep } from './ghost-sweep.ts';
import { HostWatch } from './host-watch.ts';
import { type Cursor, cursorAfter, type Memory, type MemoryFile } from './memory-file.ts';
import { Mirror } from './mirror.ts';
import { Probing } from './probing.ts';
import { RevocationCourier } from './revocation-courier.ts';

const TICK_MS = 5_000;
/** Without a memory, events of the last two minutes are read: a prober that died may have left them untold. */
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
  readonly memory: MemoryFile;
  /** Of the bus, when the term begins. */
  readonly incarnation: Incarnation | undefined;
  readonly announcer: Announcer;
  readonly onProblem: (what: string, error?: unknown) => void;
}

export class JudgeTerm {
  readonly #options: TermOptions;
  readonly #fleet: Fleet;
  readonly #hosts: HostWatch;
  readonly #probing: Probing;
  readonly #desk: AlertDesk;
  readonly #court: Court;
  readonly #feed: EventFeed;
  readonly #courier: RevocationCourier;
  readonly #votes: Subscription;
  readonly #ghosts: GhostSweep;
  readonly #dependencies: DependencyTeller;
  #answers: Answers | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isOpen = false;
  #alertsBefore: Cursor;

  /** @throws the signal's reason; the term has then been closed. */
  static async begin(options: TermOptions, signal: AbortSignal): Promise<JudgeTerm> {
    const { bus, announcer, memory } = options;
    await announcer.flushed(signal);
    const remembered = placedAnew(memory.load(), options.incarnation);
    const [alerts, verdicts, published] = await Promise.all([
      snapshot(bus, 'alerts', signal),
      snapshot(bus, 'health', signal),
      alertsSince(bus, remembered?.alerts ?? { since: timeAgo(LOOK_BACK_MS + LOOK_BACK_MARGIN_MS) }, signal),
    ]);
    const term = new JudgeTerm(options, { remembered, alerts, verdicts, published });
    try {
      await term.#open(signal);
    } catch (error) {
      term.close();
      throw error;
    }
    return term;
  }

  private constructor(options: TermOptions, known: Known) {
    const { bus, prober, own, policy, announcer } = options;
    this.#options = options;
    this.#alertsBefore = known.remembered?.alerts ?? announcer.alerts;
    const last = lastOf(known.alerts.values(), known.published);
    for (const event of last.values()) {
      if (known.alerts.get(alertKey(event))?.id !== event.id) announcer.putAlert(event);
    }
    const firing = [...last.values()].map(({ data }) => data).filter(({ state }) => state !== 'resolved');
    this.#desk = new AlertDesk({
      isFromMemory: known.remembered !== undefined,
      firing:
        known.remembered === undefined
          ? firing
          : [...known.remembered.firing, ...firing.filter(({ rule }) => !EVENT_RULES.has(rule))],
      falls: known.remembered?.falls ?? {},
      published: known.published,
      announce: (alert) => announcer.alert(alert),
    });
    this.#fleet = new Fleet({ bus, onChange: (key) => this.#update(key) });
    this.#courier = new RevocationCourier({ bus, prober, onProblem: options.onProblem });
    this.#hosts = new HostWatch({
      bus,
      expected: () => this.#fleet.hosts(),
      onSilence: (host, silentMs, beatId) => this.#desk.takeHost(host, silentMs, beatId),
      onChange: (host) => {
        for (const key of this.#fleet.keysOn(host)) this.#update(key);
      },
      onBeat: (presence) => {
        this.#courier.noteBeat(presence);
        this.#ghosts.hear(presence);
        if (this.#isOpen) this.#desk.takeBeat(presence, (host) => this.#statusesOn(host));
      },
    });
    const commands = new FleetCommands({
      bus,
      actor: `prober/${prober}`,
      positionOf: (host) => (this.#hosts.silenceOf(host) === 0 ? this.#hosts.presenceOf(host) : undefined),
    });
    this.#ghosts = new GhostSweep({
      bus,
      commands,
      fleet: this.#fleet,
      isKnown: (host) => this.#hosts.knows(host),
      onRemoved: (host, removed) => {
        const some = removed.slice(0, NAMED_KEYS).join(', ');
        const rest = removed.length > NAMED_KEYS ? ` and ${removed.length - NAMED_KEYS} more` : '';
        announcer.component('orphaned-keys-removed', `no agent keeps these any more: ${some}${rest}`, { host });
      },
      onProblem: options.onProblem,
    });
    this.#dependencies = new DependencyTeller({ commands, fleet: this.#fleet, hosts: this.#hosts });
    this.#court = new Court({
      policy: { maxAttempts: policy.attempts, quorum: (voters) => policy.quorum ?? majority(voters) },
      voteMaxAgeMs: 3 * policy.cadence.intervalMs,
      known: known.verdicts,
      statusOf: (key) => this.#fleet.statuses.get(key),
      whyNoVote: (key) => this.#probing.whyNoVote(key),
      stamp: () => announcer.stamp(),
      announce: (verdict) => announcer.verdict(verdict),
      onJudgement: ({ host, service, instance }, generation, judgement) =>
        this.#desk.takeVerdict({ host, service, instance, generation }, judgement, this.#hosts.isGone(host)),
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
      stamp: () => announcer.stamp(),
      onReport: (report) => ({ isSoft: this.#court.take(report, { kind: 'prober', id: prober })?.hardness === 'soft' }),
    });
    this.#votes = bus.subscribe(rows.instanceProbe, {}, (report, { host }) => {
      this.#court.take(report, { kind: 'agent', id: host });
    });
    this.#feed = new EventFeed({
      bus,
      cursor: known.remembered?.events ?? { since: timeAgo(LOOK_BACK_MS) },
      onEvent: (event) => this.#desk.takeEvent(event),
      onReading: () => {
        this.#alertsBefore = announcer.alerts;
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
    this.#ghosts.stop();
    this.#votes.stop();
    this.#feed.stop();
    this.#probing.stop();
    this.#hosts.stop();
    this.#courier.stop();
    this.#fleet.stop();
  }

  async #open(signal: AbortSignal): Promise<void> {
    // Statuses first: an agent puts them once their events are in the stream, so the feed then finds all of those.
    await this.#fleet.ready(signal);
    await this.#feed.start(signal);
    this.#desk.endReplay(this.#fleet.statuses);
    this.#isOpen = true;
    // Verdicts on what is gone meanwhile go as well.
    for (const key of new Set([...this.#fleet.statuses.keys(), ...this.#court.judged()])) this.#update(key);
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
      this.#court.judgeAll();
      this.#desk.tick();
    }, TICK_MS);
  }

  async #forget(host: string): Promise<Answer & { keys: number }> {
    const silentMs = this.#hosts.silenceOf(host);
    if (silentMs === undefined || silentMs === 0) {
      const reason = silentMs === 0 ? `host ${host} is heard` : `it is not known yet whether host ${host} is silent`;
      return { accepted: false, code: 'wrong-state', reason, keys: 0 };
    }
    this.#hosts.forget(host);
    const keys = await this.#ghosts.forget(host);
    this.#desk.takeRemovedHost(host);
    this.#options.announcer.component('host-forgotten', `host ${host} was taken away: ${keys} keys removed`, { host });
    return { accepted: true, code: 'ok', reason: `host ${host} is forgotten`, keys };
  }

  *#statusesOn(host: string): Iterable<InstanceStatus> {
    for (const key of this.#fleet.keysOn(host)) {
      const status = this.#fleet.statuses.get(key);
      if (status !== undefined) yield status;
    }
  }

  #update(key: string): void {
    this.#ghosts.changed(key.slice(0, key.indexOf('.')));
    if (!this.#isOpen) return;
    const status = this.#fleet.statuses.get(key);
    this.#probing.update(key);
    if (status === undefined) {
      this.#desk.takeGone(key);
      this.#answers?.noteGone(key);
      if (this.#court.forget(key)) this.#options.announcer.forgetVerdict(key);
      return;
    }
    this.#answers?.noteStatus(status);
    const hasUrl = this.#fleet.specOf(status)?.healthCheckUrl !== undefined;
    if (hasUrl || this.#court.knows(key)) this.#court.judge(key);
  }

  #save(cursor: Cursor): void {
    try {
      const { incarnation } = this.#options;
      this.#options.memory.save({
        ...(incarnation !== undefined && { incarnation: incarnation.incarnation }),
        events: cursor,
        alerts: this.#alertsBefore,
        firing: this.#desk.firing.filter(({ rule }) => EVENT_RULES.has(rule)),
        falls: this.#desk.falls,
      });
    } catch (error) {
      this.#options.onProblem('cannot save the memory: after a restart older events are read again', error);
    }
  }
}

interface Known {
  readonly remembered: ReturnType<MemoryFile['load']>;
  readonly alerts: ReadonlyMap<string, AlertEvent>;
  readonly verdicts: ReadonlyMap<string, Verdict>;
  /** Since the memory was saved or, without one, lately. */
  readonly published: readonly AlertEvent[];
}

/** The cursors of an earlier life, in the bus of today. */
function placedAnew(memory: Memory | undefined, told: Incarnation | undefined): Memory | undefined {
  if (memory === undefined) return undefined;
  const { incarnation } = memory;
  if (told === undefined || incarnation === undefined || told.incarnation <= incarnation) return memory;
  const events = cursorAfter(memory.events, told, incarnation, 'events', timeAgo(LOOK_BACK_MS));
  // All that is sent again may come once more, and none of it may be told once more.
  return { ...memory, events, alerts: { since: timeAgo(SENT_AGAIN_MS) } };
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
