/** Which instances this prober probes itself, and the probe of one of them as a report. */
import {
  Deadline,
  type InstanceStatus,
  isRedacted,
  keys,
  type OrderedEnvelope,
  type ProbeReport,
  rows,
} from '@muster/contracts';
import type { Bus } from '@muster/contracts/bus';
import type { FleetClient } from '@muster/contracts/client';
import { type Gate, type ProbeResult, probe, type TargetOf } from '@muster/probes';
import { noVantage, type Place, reachOf, type TargetRules, whyNotAddress } from '../core/reach.ts';
import type { Cadence, Caps } from '../core/schedule.ts';
import { NameLookups } from './name-lookups.ts';
import { Places } from './places.ts';
import { Scheduler } from './scheduler.ts';

const NOT_YET = 'not probed yet';

export interface ProbePolicy {
  readonly cadence: Cadence;
  readonly caps: Caps;
  /** More of one host are not probed. */
  readonly targetsPerHost: number;
  readonly rules: TargetRules;
  readonly attempts: number;
  readonly timeoutMs: number;
  /** An answer that takes longer is `degraded`. */
  readonly degradedAfterMs: number;
  /** How many vantages must agree; absent means most of them. */
  readonly quorum?: number | undefined;
}

export interface ProbingOptions {
  readonly bus: Bus;
  readonly prober: string;
  readonly own: Place;
  readonly fleet: FleetClient;
  readonly policy: ProbePolicy;
  readonly stamp: () => OrderedEnvelope;
  /** Says whether the failure of this target is still being confirmed. */
  readonly onReport: (report: ProbeReport) => { readonly isSoft: boolean };
}

export class Probing {
  readonly #options: ProbingOptions;
  readonly #scheduler: Scheduler;
  /** By instance key: what is probed there, so that only a change begins anew. */
  readonly #targets = new Map<string, string>();
  /** Why the last probe has said nothing about its target, by instance key. */
  readonly #silences = new Map<string, string>();
  readonly #lookups = new NameLookups();
  readonly #places: Places;

  constructor(options: ProbingOptions) {
    this.#options = options;
    const { cadence, caps, targetsPerHost } = options.policy;
    this.#scheduler = new Scheduler(cadence, caps);
    this.#places = new Places(targetsPerHost);
  }

  get targets(): number {
    return this.#scheduler.size;
  }

  /** The instance, its spec or its host has changed. */
  update(key: string): void {
    const target = this.#targetOf(key);
    const host = key.slice(0, key.indexOf('.'));
    if ('why' in target || !this.#places.take(host, key)) {
      this.#targets.delete(key);
      this.#silences.delete(key);
      this.#scheduler.remove(key);
      const next = 'why' in target ? this.#places.leave(host, key) : undefined;
      if (next !== undefined) this.update(next);
      return;
    }
    const { status, http } = target;
    const identity = `${status.generation} ${http.url}`;
    if (this.#targets.get(key) === identity) return;
    this.#targets.set(key, identity);
    this.#silences.delete(key);
    this.#scheduler.set({
      key,
      host: status.host,
      run: (signal) => this.#probe(status, http, signal),
      skip: (lateMs) => this.#publish(reportSkipped(this.#frame(status), lateMs)),
    });
  }

  /** Why there is no vote of this prober. */
  whyNoVote(key: string): string {
    const target = this.#targetOf(key);
    if ('why' in target) return target.why;
    if (this.#places.isWaiting(target.status.host, key)) {
      return `only ${this.#options.policy.targetsPerHost} targets of one host are probed`;
    }
    return this.#silences.get(key) ?? NOT_YET;
  }

  probeNow(key: string): boolean {
    return this.#scheduler.probeNow(key);
  }

  stop(): void {
    this.#scheduler.stop();
  }

  #targetOf(
    key: string,
  ): { readonly status: InstanceStatus; readonly http: TargetOf<'http'> } | { readonly why: string } {
    const { fleet, own, policy } = this.#options;
    const status = fleet.statuses.get(key);
    if (status === undefined) return { why: 'it is not known here' };
    const url = fleet.specOf(status)?.healthCheckUrl;
    if (url === undefined) return { why: 'it has no health_check_url' };
    if (status.state !== 'running' || status.desired === 'down') return { why: `it is ${status.state}` };
    if (isRedacted(url)) return { why: 'its address holds a secret, which stays on its host' };
    const reach = reachOf(url, fleet.host(status.host).heartbeat, own, policy.rules);
    return reach.canReach ? { status, http: { kind: 'http', url } } : { why: reach.reason };
  }

  async #probe(status: InstanceStatus, http: TargetOf<'http'>, stopping: AbortSignal): Promise<{ isSoft: boolean }> {
    const { policy, onReport } = this.#options;
    using deadline = new Deadline(policy.timeoutMs, stopping);
    const result = await probe({ ...http, gate: this.#gateOf(status.host, deadline.signal) }, deadline.signal);
    if (stopping.aborted) return { isSoft: false };
    this.#noteSilence(keys.instance(status.host, status.service, status.instance), result);
    const report = reportOf(this.#frame(status), result, policy.degradedAfterMs);
    this.#publish(report);
    return onReport(report);
  }

  /** Where the host is may have changed since the target was taken up, and so may what its name resolves to. */
  #gateOf(host: string, signal: AbortSignal): Gate {
    const { fleet, own, policy } = this.#options;
    return {
      whyNot: (address) => whyNotAddress(address, fleet.host(host).heartbeat, own, policy.rules),
      addressesOf: (name) => this.#lookups.addressesOf(host, name, signal),
    };
  }

  #noteSilence(key: string, result: ProbeResult): void {
    if (result.status !== 'unknown') this.#silences.delete(key);
    else if (result.reason === 'forbidden') this.#silences.set(key, noVantage(result.detail));
    else this.#silences.set(key, `its probe says nothing: ${result.detail}`);
  }

  #publish(report: ProbeReport): void {
    const { bus, prober } = this.#options;
    const { host, service, instance } = report;
    bus.publish(rows.proberProbe, { prober, host, service, instance }, report);
  }

  #frame({ host, service, instance, generation }: InstanceStatus) {
    const { stamp, prober } = this.#options;
    const vantage = { kind: 'prober', id: prober } as const;
    return { ...stamp(), host, service, instance, generation, vantage, purpose: 'external', protocol: 'http' } as const;
  }
}

type Frame = Omit<ProbeReport, 'status' | 'durationMs'>;

function reportOf(frame: Frame, result: ProbeResult, degradedAfterMs: number): ProbeReport {
  const { durationMs, phases, httpStatus } = result;
  const measured = { ...frame, durationMs, phases, ...(httpStatus !== undefined && { httpStatus }) };
  if (result.status !== 'up') {
    return { ...measured, status: result.status, reason: result.reason, detail: result.detail };
  }
  if (durationMs <= degradedAfterMs) return { ...measured, status: 'up' };
  const detail = `answered in ${Math.round(durationMs)} ms, expected within ${degradedAfterMs} ms`;
  return { ...measured, status: 'degraded', detail };
}

function reportSkipped(frame: Frame, lateMs: number): ProbeReport {
  const detail = `its turn came ${Math.round(lateMs)} ms late: too many probes at once`;
  return { ...frame, status: 'skipped', detail, durationMs: 0 };
}
