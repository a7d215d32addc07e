/** What the prober answers on the bus. */
import {
  type Asker,
  type InstanceStatus,
  keys,
  MAX_ALERTS_TOLD,
  NONE,
  type ProberReply,
  type ProberRequest,
  proberCommands,
  rows,
  whyNotCovered,
} from '@muster/contracts';
import { type Bus, type Subscription, uuidv7 } from '@muster/contracts/bus';
import { askForSlot, NO_RECOVERIES, releaseSlot } from '../core/recovery.ts';
import { monotonicMs, wallTime } from './clock.ts';

/** A restart that takes longer than this has gone wrong, and its slot is free for another. */
const SLOT_MS = 60_000;
const COUNT_KEPT_MS = 1_000;

/** Of alerts in one answer, which has to stay within one message. */
const MAX_ALERTS_BYTES = 256 * 1024;

export type Answer = Pick<ProberReply<'probe'>, 'accepted' | 'code' | 'reason'>;

export interface AnswersOptions {
  readonly bus: Bus;
  readonly prober: string;
  /** All instances of the fleet, by key. */
  readonly statuses: () => ReadonlyMap<string, InstanceStatus>;
  /** How many instances each host has, as `countInstances` counts them. */
  readonly countInstances: () => ReadonlyMap<string, number>;
  /** Of a service that is configured. */
  readonly labelsOf: (host: string, service: string) => Readonly<Record<string, string>> | undefined;
  /** False when this prober does not probe it. */
  readonly probeNow: (key: string) => boolean;
  /** A host was taken away. Refuses while it is heard. */
  readonly forget: (host: string) => Promise<Answer & { readonly keys: number }>;
}

const UNSUPPORTED: Answer = {
  accepted: false,
  code: 'unsupported',
  reason: 'this version of the prober cannot do this',
};

export class Answers {
  readonly #options: AnswersOptions;
  readonly #subscriptions: readonly Subscription[];
  #recoveries = NO_RECOVERIES;
  #counts: { readonly atMs: number; readonly counts: ReadonlyMap<string, number> } | undefined;

  constructor(options: AnswersOptions) {
    this.#options = options;
    const { bus } = options;
    const refuse = async ({ id }: { id: string }) => this.#reply(id, UNSUPPORTED);
    this.#subscriptions = [
      bus.respond(proberCommands.recover, {}, async (request, _params, asker) => this.#recover(request, asker)),
      bus.respond(proberCommands.probe, {}, async (request, _params, asker) =>
        this.#reply(request.id, this.#probe(request, asker)),
      ),
      bus.respond(proberCommands.remove, {}, async (request, _params, asker) => this.#remove(request, asker)),
      bus.respond(proberCommands.alerts, {}, async (request, _params, asker) => this.#alerts(request, asker)),
      bus.respond(proberCommands.test, {}, refuse),
      bus.respond(proberCommands.acknowledge, {}, refuse),
      bus.respond(proberCommands.silence, {}, refuse),
    ];
  }

  /** A recovered instance gives its slot back. */
  noteStatus({ host, service, instance, generation, state, ready, desired }: InstanceStatus): void {
    const key = keys.instance(host, service, instance);
    if (desired === 'down') this.noteGone(key);
    else if (state === 'running' && ready !== 'no') this.#recoveries = releaseSlot(this.#recoveries, key, generation);
  }

  noteGone(key: string): void {
    this.#recoveries = releaseSlot(this.#recoveries, key, Number.POSITIVE_INFINITY);
  }

  stop(): void {
    for (const subscription of this.#subscriptions) subscription.stop();
  }

  #recover(request: ProberRequest<'recover'>, asker: Asker): ProberReply<'recover'> {
    const { host, service, instance = 0, generation, id } = request;
    const why = this.#whyNot(asker, host, service);
    if (why !== undefined) return { ...this.#reply(id, forbidden(why)), granted: false, slotMs: 0 };
    const key = keys.instance(host, service, instance);
    const statuses = this.#options.statuses();
    const status = statuses.get(key);
    if (status === undefined) {
      const answer: Answer = { accepted: false, code: 'unknown-instance', reason: `'${key}' is not known here` };
      return { ...this.#reply(id, answer), granted: false, slotMs: 0 };
    }
    const nowMs = monotonicMs();
    const context = { nowMs, counts: this.#countsAt(nowMs), slotMs: SLOT_MS };
    const asked = { host, instance: key, generation };
    const { granted, reason, leftMs, recoveries } = askForSlot(this.#recoveries, asked, context);
    this.#recoveries = recoveries;
    const answer: Answer = { accepted: granted, code: granted ? 'ok' : 'wrong-state', reason };
    return { ...this.#reply(id, answer), granted, slotMs: leftMs };
  }

  /** Counting takes as long as the fleet is large, and asking is cheap: a moment's count serves them all. */
  #countsAt(nowMs: number): ReadonlyMap<string, number> {
    if (this.#counts === undefined || nowMs - this.#counts.atMs > COUNT_KEPT_MS) {
      this.#counts = { atMs: nowMs, counts: this.#options.countInstances() };
    }
    return this.#counts.counts;
  }

  #probe({ host, service, instance = 0 }: ProberRequest<'probe'>, asker: Asker): Answer {
    const why = this.#whyNot(asker, host, service);
    if (why !== undefined) return forbidden(why);
    const key = keys.instance(host, service, instance);
    if (!this.#options.statuses().has(key)) {
      return { accepted: false, code: 'unknown-instance', reason: `'${key}' is not known here` };
    }
    return this.#options.probeNow(key)
      ? { accepted: true, code: 'ok', reason: 'probed now' }
      : { accepted: false, code: 'wrong-state', reason: `'${key}' is not probed from here` };
  }

  /** What is stored of a host is of all its services. */
  async #remove({ id, host }: ProberRequest<'remove'>, asker: Asker): Promise<ProberReply<'remove'>> {
    const why = whyNotCovered(asker, host);
    return this.#reply(id, why === undefined ? await this.#options.forget(host) : { ...forbidden(why), keys: 0 });
  }

  /** Out of the stream, for who may not read it: the next that the asker may know. */
  async #alerts({ id, afterSeq }: ProberRequest<'alerts'>, asker: Asker): Promise<ProberReply<'alerts'>> {
    const alerts: ProberReply<'alerts'>['alerts'] = [];
    let lastSeq = afterSeq;
    let hasMore = true;
    // A page that holds nothing for the asker leads to the next: it names no place from which to ask again.
    while (hasMore && alerts.length === 0) {
      const page = await this.#alertsBehind(lastSeq);
      for (const { seq, message, params } of page.stored) {
        lastSeq = seq;
        const isOfHost = params.service === NONE;
        const why = this.#whyNot(asker, params.host, isOfHost ? undefined : params.service);
        if (why === undefined) alerts.push({ seq, alert: message });
      }
      hasMore = page.hasMore;
    }
    if (alerts.length > MAX_ALERTS_TOLD) hasMore = true;
    const told = alerts.slice(0, MAX_ALERTS_TOLD);
    const answer: Answer = { accepted: true, code: 'ok', reason: `${told.length} alerts behind ${afterSeq}` };
    return { ...this.#reply(id, answer), alerts: told, hasMore };
  }

  async #alertsBehind(afterSeq: number) {
    let bytes = 0;
    let hasMore = false;
    const isEnough = (alert: unknown) => {
      bytes += JSON.stringify(alert).length;
      hasMore = bytes > MAX_ALERTS_BYTES;
      return hasMore;
    };
    const stored = await this.#options.bus.history(rows.alert, {}, { sinceSeq: afterSeq + 1, isEnough });
    return { stored, hasMore };
  }

  /** Why the asker may know nothing of the service or, without one, of the host as a whole. */
  #whyNot(asker: Asker, host: string, service?: string): string | undefined {
    if (service === undefined) return whyNotCovered(asker, host);
    return whyNotCovered(asker, host, { service, labels: this.#options.labelsOf(host, service) ?? {} });
  }

  #reply<A extends Answer>(commandId: string, answer: A) {
    return { id: uuidv7(), time: wallTime(), source: `prober/${this.#options.prober}`, commandId, ...answer };
  }
}

function forbidden(reason: string): Answer {
  return { accepted: false, code: 'forbidden', reason };
}
