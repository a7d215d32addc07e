/**
 * One term as the leading prober: from the moment the lease is ours until it is lost. It begins with what is known (the
 * saved state of an earlier life, the last values, what the streams hold since) and then goes on with what comes live.
 */
import { type AlertEvent, type FleetChange, type Incarnation, keys, NONE, rows, type Verdict } from '@muster/contracts';
import type { Bus, Subscription } from '@muster/contracts/bus';
import { FleetClient } from '@muster/contracts/client';
import type { RuleName } from '../core/alert.ts';
import { majority } from '../core/judge.ts';
import { isSamePlace, type Place } from '../core/reach.ts';
import { type CountedInstance, countInstances } from '../core/recovery.ts';
import { AlertManager } from './alert-manager.ts';
import { type Answer, Answers } from './answers.ts';
import { timeAgo } from './clock.ts';
import { DependencyPublisher } from './dependency-publisher.ts';
import { EventFeed } from './event-feed.ts';
import { HostWatch } from './host-watch.ts';
import { OrphanedKeyCollector } from './orphaned-key-collector.ts';
import { type ProbePolicy, Probing } from './probing.ts';
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

export interface TermOptions {
  readonly bus: Bus;
  /** Followed for as long as the term lasts. */
  readonly fleet: FleetClient;
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
  readonly #fleet: FleetClient;
  readonly #hosts: HostWatch;
  readonly #probing: Probing;
  readonly #alerts: AlertManager;
  readonly #verdicts: VerdictEngine;
  readonly #feed: EventFeed;
  readonly #revocations: RevocationPublisher;
  readonly #votes: Subscription;
  readonly #orphanedKeys: OrphanedKeyCollector;
  readonly #dependencies: DependencyPublisher;
  readonly #stopListening: () => void;
  #answers: Answers | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isOpen = false;
  #alertsBefore: Cursor;

  /** @throws the signal's reason; the term has then been closed. */
  static async begin(options: TermOptions, signal: AbortSignal): Promise<LeaderTerm> {
    const { bus, fleet, publisher, stateFile } = options;
    await publisher.flushed(signal);
    const remembered = placedAnew(stateFile.load(), options.incarnation);
    const [verdicts, published] = await Promise.all([
      storedVerdicts(bus, signal),
      alertsSince(bus, remembered?.alerts ?? { since: timeAgo(LOOK_BACK_MS + LOOK_BACK_MARGIN_MS) }, signal),
      // Statuses first: an agent puts them once their events are in the stream, so the feed then finds all of those.
      fleet.ready(signal),
    ]);
    const term = new LeaderTerm(options, { remembered, alerts: fleet.alerts, verdicts, published });
    try {
      await term.#open(signal);
    } catch (error) {
      term.close();
      throw error;
    }
    return term;
  }

  private constructor(options: TermOptions, known: Known) {
    const { bus, fleet, prober, own, policy, publisher } = options;
    this.#options = options;
    this.#fleet = fleet;
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
    this.#hosts = new HostWatch({
      fleet,
      onSilence: (host, silentMs, heartbeatId) => this.#alerts.takeHost(host, silentMs, heartbeatId),
    });
    this.#stopListening = fleet.onChange((change) => this.#learn(change));
    this.#revocations = new RevocationPublisher({ bus, fleet, onProblem: options.onProblem });
    this.#orphanedKeys = new OrphanedKeyCollector({
      bus,
      fleet,
      onRemoved: (host, removed) => {
        const some = removed.slice(0, NAMED_KEYS).join(', ');
        const rest = removed.length > NAMED_KEYS ? ` and ${removed.length - NAMED_KEYS} more` : '';
        publisher.component('orphaned-keys-removed', `no agent keeps these any more: ${some}${rest}`, { host });
      },
      onProblem: options.onProblem,
    });
    this.#dependencies = new DependencyPublisher(fleet);
    this.#verdicts = new VerdictEngine({
      policy: { maxAttempts: policy.attempts, quorum: (voters) => policy.quorum ?? majority(voters) },
      voteMaxAgeMs: 3 * policy.cadence.intervalMs,
      known: known.verdicts,
      statusOf: (key) => fleet.statuses.get(key),
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
      fleet,
      policy,
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
    this.#stopListening();
  }

  async #open(signal: AbortSignal): Promise<void> {
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
      countInstances: () => this.#countInstances(),
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
    const { state } = this.#fleet.host(host);
    if (state !== 'silent') {
      const reason = state === 'heard' ? `host ${host} is heard` : `it is not known yet whether host ${host} is silent`;
      return { accepted: false, code: 'wrong-state', reason, keys: 0 };
    }
    this.#fleet.forgotten(host);
    const keys = await this.#orphanedKeys.forget(host);
    this.#alerts.takeRemovedHost(host);
    this.#options.publisher.component('host-forgotten', `host ${host} was taken away: ${keys} keys removed`, { host });
    return { accepted: true, code: 'ok', reason: `host ${host} is forgotten`, keys };
  }

  #learn(change: FleetChange): void {
    if (change.kind === 'listed' && change.bucket !== 'alerts') {
      if (change.bucket === 'status') for (const key of change.gone ?? []) this.#update(key);
      for (const key of this.#fleet.statuses.keys()) this.#update(key);
    } else if (change.kind === 'entry') {
      if (change.bucket === 'status') this.#update(change.key);
      else if (change.bucket === 'specs') this.#updateBelow(change.key.slice(0, -NONE.length));
    } else if (change.kind === 'host-presence') {
      const { heartbeat, before } = change;
      if (!isSamePlace(heartbeat, before)) this.#updateBelow(`${heartbeat.host}.`);
      if (this.#isOpen) this.#alerts.takeHeartbeat(heartbeat, (host) => this.#fleet.statusesOn(host));
    }
  }

  /** Every instance whose key begins so: those of a service, or of a host. */
  #updateBelow(prefix: string): void {
    const host = prefix.slice(0, prefix.indexOf('.'));
    for (const key of this.#fleet.keysOn('status', host)) if (key.startsWith(prefix)) this.#update(key);
  }

  #update(key: string): void {
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

  #countInstances(): ReadonlyMap<string, number> {
    const alive = new Set([...this.#fleet.hosts()].filter((host) => this.#fleet.host(host).isAlive));
    return countInstances(this.#instances(), (host) => alive.has(host));
  }

  /** Every instance, with whether it runs or starts as wanted, and is one that its service is configured to have. */
  *#instances(): Iterable<CountedInstance> {
    for (const status of this.#fleet.statuses.values()) {
      const { host, state, desired, instance } = status;
      const isUp = desired === 'up' && (state === 'running' || state === 'starting');
      yield { host, isUp, isConfigured: instance < (this.#fleet.specOf(status)?.instances ?? 0) };
    }
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

/** The verdicts of whoever judged before. From then on they are our own. */
async function storedVerdicts(bus: Bus, signal: AbortSignal): Promise<ReadonlyMap<string, Verdict>> {
  using fleet = new FleetClient({ bus, actor: `prober/${bus.id}`, follow: { buckets: ['health'], senders: [] } });
  await fleet.ready(signal);
  return fleet.snapshot().health;
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
