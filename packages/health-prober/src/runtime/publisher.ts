/** What the prober says: to the stream first, by way of a journal on disk, and then to the bucket of last values. */
import {
  type AlertData,
  type AlertEvent,
  type ComponentEvent,
  type Incarnation,
  keys,
  type OrderedEnvelope,
  parseSubject,
  rows,
  type Verdict,
} from '@muster/contracts';
import { type Bus, Outbox, uuidv7 } from '@muster/contracts/bus';
import { cloudEvent } from '../core/alert.ts';
import { timeAgo, wallTime } from './clock.ts';
import { LastValues } from './last-values.ts';
import { type Cursor, cursorAfter } from './state-file.ts';

/** Where nothing is certain of a bus that went back, what is sent again is stored from here on. */
const LOOK_BACK_MS = 180_000;

export interface PublisherOptions {
  readonly bus: Bus;
  readonly prober: string;
  readonly epoch: number;
  /** Of the journal. */
  readonly directory: string;
  /** How far the stream of alerts was known in the earlier life. */
  readonly alerts: Cursor;
  readonly onProblem: (what: string, error?: unknown) => void;
}

export class Publisher {
  readonly #options: PublisherOptions;
  readonly #lastValues: LastValues;
  /** By message id: what follows once the stream has it. */
  readonly #afterwards = new Map<string, (seq: number) => void>();
  readonly #outbox: Outbox;
  /**
   * Alerts that are not yet in both stream and bucket, by fingerprint: the last event of each, and how far the stream was known
   * before the first.
   */
  readonly #unsettled = new Map<string, { readonly eventId: string; readonly before: Cursor }>();
  #seq = 0;
  /** The furthest that the stream has acknowledged. */
  #alerts: Cursor;

  private constructor(options: PublisherOptions, outbox: Outbox) {
    this.#options = options;
    this.#outbox = outbox;
    this.#alerts = options.alerts;
    this.#lastValues = new LastValues(options.bus, options.onProblem);
  }

  /** Opens the journal; what an earlier life left in it is on its way. */
  static async open(options: PublisherOptions): Promise<Publisher> {
    const { bus, directory, onProblem } = options;
    const outbox = await Outbox.open({
      directory,
      bus,
      onDelivered: ({ id, seq }) => publisher.#delivered(id, seq),
      onGap: (lost) => publisher.component('gap', 'the journal was full: the oldest messages were given up', { lost }),
      onProblem: (error) => onProblem('the outbox is stuck for now', error),
      findArrived: (subject, id, afterSeq) => findAlert(bus, subject, id, afterSeq),
    });
    const publisher = new Publisher(options, outbox);
    outbox.tellLost((lost) => publisher.component('gap', 'lost with the last prober, whose disk was full', { lost }));
    return publisher;
  }

  /** Up to here all alerts of ours are in the bucket as well, or were followed there by later ones. */
  get alerts(): Cursor {
    const [oldest] = this.#unsettled.values();
    return oldest?.before ?? this.#alerts;
  }

  /** Of the bus, as far as it is known. */
  get incarnation(): number | undefined {
    return this.#outbox.incarnation;
  }

  get backlog(): number {
    return this.#outbox.backlog;
  }

  /** Everything said so far is in its stream. */
  flushed(signal: AbortSignal): Promise<void> {
    return this.#outbox.flushed(signal);
  }

  stamp(): OrderedEnvelope {
    this.#seq += 1;
    const { prober, epoch } = this.#options;
    return { id: uuidv7(), time: wallTime(), source: `prober/${prober}`, epoch, seq: this.#seq };
  }

  alert(data: AlertData): void {
    const event = cloudEvent(data, this.stamp());
    const { severity, host, service, rule, fingerprint } = data;
    const before = this.#unsettled.get(fingerprint)?.before ?? this.#alerts;
    this.#unsettled.set(fingerprint, { eventId: event.id, before });
    this.#afterwards.set(event.id, (seq) => {
      this.#alerts = { ...this.#alerts, seq: Math.max(seq, this.#alerts.seq ?? 0) };
      this.putAlert(event);
    });
    this.#outbox.append(rows.alert, { severity, host, service, rule }, event);
  }

  /** What the bus says of its store: what it may have lost is sent again. */
  learn(told: Incarnation): void {
    const since = this.#outbox.incarnation;
    const after = (cursor: Cursor) => cursorAfter(cursor, told, since, 'alerts', timeAgo(LOOK_BACK_MS));
    this.#alerts = after(this.#alerts);
    for (const [fingerprint, { eventId, before }] of this.#unsettled) {
      this.#unsettled.set(fingerprint, { eventId, before: after(before) });
    }
    this.#outbox.learn(told);
  }

  /** The last value alone: of an alert that is in its stream already. */
  putAlert(event: AlertEvent): void {
    const { host, service, rule, fingerprint } = event.data;
    const bucket = this.#options.bus.kv('alerts');
    this.#lastValues.put(
      `alert ${fingerprint}`,
      () => bucket.put(keys.alert(host, service, rule), event),
      () => {
        if (this.#unsettled.get(fingerprint)?.eventId === event.id) this.#unsettled.delete(fingerprint);
      },
    );
  }

  verdict(verdict: Verdict): void {
    const { id, host, service, instance } = verdict;
    const key = keys.instance(host, service, instance);
    const bucket = this.#options.bus.kv('health');
    this.#afterwards.set(id, () => this.#lastValues.put(`health ${key}`, () => bucket.put(key, verdict)));
    this.#outbox.append(rows.health, { host, service, instance }, verdict);
  }

  /** An instance that is no longer configured has no verdict. */
  forgetVerdict(key: string): void {
    this.#lastValues.put(`health ${key}`, () => this.#options.bus.kv('health').delete(key));
  }

  component(kind: ComponentEvent['kind'], reason: string, more: Pick<ComponentEvent, 'lost' | 'host'> = {}): void {
    const event: ComponentEvent = { ...this.stamp(), kind, reason, causes: [], ...more };
    this.#outbox.append(rows.proberEvent, { prober: this.#options.prober }, event);
  }

  async close(): Promise<void> {
    this.#lastValues.stop();
    await this.#outbox.close();
  }

  #delivered(id: string, seq: number): void {
    this.#afterwards.get(id)?.(seq);
    this.#afterwards.delete(id);
  }
}

/** Only of alerts: people are woken by them, while who takes verdicts and events knows them by their positions. */
async function findAlert(bus: Bus, subject: string, id: string, afterSeq: number): Promise<number | undefined> {
  const params = parseSubject(bus.environment, rows.alert.template, subject);
  if (params === undefined) return undefined;
  const isIt = (alert: AlertEvent) => alert.id === id;
  const stored = await bus.history(rows.alert, params, { sinceSeq: afterSeq + 1, isEnough: isIt });
  return stored.find(({ message }) => isIt(message))?.seq;
}
