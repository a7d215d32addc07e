/**
 * Keeps the states of alerts: what each rule sees goes in, what has to be told goes out. It is a function of the events and
 * of the saved state it starts from, so that a second reading of the same events after a restart leads to the same alerts; what
 * was published before is then recognised by its cause and not told again.
 */
import {
  type AgentPresence,
  type AlertData,
  type AlertEvent,
  comparePositions,
  HostQuota,
  type InstanceEvent,
  type InstanceStatus,
  keys,
  MAX_INSTANCES_PER_HOST,
} from '@muster/contracts';
import {
  fingerprintOf,
  type Observation,
  observe,
  observeOnce,
  remember,
  type Sample,
  type Subject,
} from '../core/alert.ts';
import { HostPositions } from '../core/host-positions.ts';
import type { Judgement } from '../core/judge.ts';
import {
  type InstanceHistory,
  type Outage,
  observeFact,
  observeGone,
  observeHost,
  observeRemovedHost,
  observeVerdict,
  type Recovery,
  readEvent,
  readQuiet,
  readStatus,
} from '../core/rules.ts';
import { monotonicMs, wallTime } from './clock.ts';

export interface AlertManagerOptions {
  /** `firing` is from the point at which the reading of events begins. Else it is from now, and older than no event. */
  readonly isFromSavedState: boolean;
  /** Alerts that were firing, by the last known event of each. */
  readonly firing: readonly AlertData[];
  /** What went down in the earlier life and was not seen up again, by instance key. */
  readonly outages: Readonly<Record<string, Outage>>;
  /** Alerts published since the point from which events are read again. */
  readonly published: readonly AlertEvent[];
  readonly announce: (alert: AlertData) => void;
}

export class AlertManager {
  readonly #announce: (alert: AlertData) => void;
  readonly #alerts = new Map<string, AlertData>();
  readonly #samples = new Map<string, readonly Sample[]>();
  readonly #histories = new Map<string, InstanceHistory>();
  /** Events may name any instance: of one host so many are followed. */
  readonly #quota = new HostQuota(MAX_INSTANCES_PER_HOST);
  readonly #positions = new HostPositions();
  readonly #outages: Map<string, Outage>;
  /** What was told of which cause before: also behind a replay an event may come again, from an agent whose bus has lost it. */
  readonly #told: ReadonlySet<string>;
  /** Events are read again. */
  #isReplaying = true;
  readonly #isFromSavedState: boolean;

  constructor({ isFromSavedState, firing, outages, published, announce }: AlertManagerOptions) {
    this.#isFromSavedState = isFromSavedState;
    this.#announce = announce;
    this.#outages = new Map(Object.entries(outages));
    this.#told = new Set(published.flatMap(({ data }) => data.causes.map((cause) => toldKey(data, cause))));
    for (const alert of firing) this.#alerts.set(alert.fingerprint, alert);
  }

  get firing(): readonly AlertData[] {
    return [...this.#alerts.values()].filter(({ state }) => state !== 'resolved');
  }

  /** What is down and not up again, for the next life. */
  get outages(): Readonly<Record<string, Outage>> {
    return Object.fromEntries(
      [...this.#histories].flatMap(([key, { outage }]) => (outage === undefined ? [] : [[key, outage]])),
    );
  }

  /** Drops what is not after the last one of its instance. */
  takeEvent(event: InstanceEvent): void {
    const key = keys.instance(event.host, event.service, event.instance);
    const before = this.#histories.get(key);
    if (before !== undefined && comparePositions(event, before.fact) <= 0) return;
    if (!this.#quota.take(key)) return;
    this.#positions.noteEvent(event);
    const { history, observations, recovery } = readEvent(before, event, monotonicMs(), this.#outages.get(key));
    this.#outages.delete(key);
    this.#histories.set(key, history);
    if (recovery !== undefined) this.#takeRecovery(recovery, event.time);
    for (const seen of observations) if (this.#isDue(seen)) this.take(seen);
  }

  /**
   * A heartbeat of an agent. Where several in a row are behind what events of its host said, those were not its own, or those of a
   * clock that was wrong: its word counts again, beginning with how its instances stand.
   */
  takeHeartbeat(
    heartbeat: Pick<AgentPresence, 'host' | 'epoch'>,
    statusesOf: (host: string) => Iterable<InstanceStatus>,
  ): void {
    if (!this.#positions.isBehind(heartbeat)) return;
    const { host, epoch } = heartbeat;
    for (const [key, { fact }] of this.#histories) {
      if (fact.host === host && fact.epoch > epoch) this.#histories.delete(key);
    }
    for (const status of statusesOf(host)) {
      if (status.epoch <= epoch) this.#takeStatus(keys.instance(host, status.service, status.instance), status);
    }
  }

  /** The events have been read; from here on everything is news, beginning with how everything stands. */
  endReplay(statuses: ReadonlyMap<string, InstanceStatus>): void {
    this.#isReplaying = false;
    for (const { host, service, instances } of this.firing) {
      for (const instance of instances) {
        const key = keys.instance(host, service, instance);
        if (!statuses.has(key)) this.takeGone(key);
      }
    }
    for (const { fact } of this.#histories.values()) for (const seen of observeFact(fact)) this.take(seen);
    for (const [key, status] of statuses) this.#takeStatus(key, status);
  }

  #takeStatus(key: string, status: InstanceStatus): void {
    const reading = readStatus(this.#histories.get(key), status, monotonicMs());
    if (reading === undefined) return;
    this.#histories.set(key, reading.history);
    for (const seen of reading.observations) this.take(seen);
  }

  takeVerdict(subject: Subject, judgement: Judgement, isHostGone: boolean): void {
    const seen = observeVerdict(subject, judgement, isHostGone);
    if (seen !== undefined) this.take(seen);
    else this.#remember({ rule: 'unhealthy', subject, value: judgement.verdict }, wallTime());
  }

  takeHost(host: string, silentMs: number, lastHeartbeatId: string | undefined): void {
    this.take(observeHost(host, silentMs, lastHeartbeatId));
  }

  takeRemovedHost(host: string): void {
    this.take(observeRemovedHost(host));
  }

  /** The instance is no longer configured. */
  takeGone(key: string): void {
    this.#histories.delete(key);
    this.#quota.drop(key);
    const [host = '', service = '', instance] = key.split('.');
    for (const seen of observeGone({ host, service, instance: Number(instance) })) {
      this.take(seen);
      this.#samples.delete(fingerprintOf(seen));
    }
  }

  /** Ends what ends without an event. */
  tick(): void {
    for (const alert of this.firing) {
      if (alert.rule !== 'restart-loop') continue;
      for (const instance of alert.instances) {
        const history = this.#histories.get(keys.instance(alert.host, alert.service, instance));
        if (history !== undefined) for (const seen of readQuiet(history, monotonicMs())) this.take(seen);
      }
    }
  }

  take(seen: Observation): void {
    const time = wallTime();
    const fingerprint = fingerprintOf(seen);
    const history = this.#remember(seen, time);
    const { alert, isNews } = observe(this.#alerts.get(fingerprint), seen, history, time);
    if (alert !== undefined) this.#alerts.set(fingerprint, alert);
    if (alert !== undefined && isNews) this.#tell(alert, seen.causes);
  }

  /** While events are read again: what belongs to the present is left until their end. */
  #isDue(seen: Observation): boolean {
    return !this.#isReplaying || (this.#isFromSavedState && seen.rule !== 'unhealthy');
  }

  #takeRecovery({ outage, seen }: Recovery, time: string): void {
    const alert = observeOnce(seen, this.#remember(seen, time), outage.time, time);
    this.#tell(alert, seen.causes);
  }

  #tell(alert: AlertData, causes: readonly string[]): void {
    // The last cause is the event at hand; one cause leads to one transition of an alert.
    const cause = causes.at(-1);
    if (cause !== undefined && this.#told.has(toldKey(alert, cause))) return;
    this.#announce(alert);
  }

  #remember(seen: Pick<Observation, 'rule' | 'subject' | 'value'>, time: string): readonly Sample[] {
    const fingerprint = fingerprintOf(seen);
    const history = remember(this.#samples.get(fingerprint) ?? [], seen.value, time);
    this.#samples.set(fingerprint, history);
    return history;
  }
}

function toldKey({ fingerprint, state }: AlertData, cause: string): string {
  return `${fingerprint} ${state} ${cause}`;
}
