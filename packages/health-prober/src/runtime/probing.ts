/** Which instances this prober probes itself, and the probe of one of them as a report. */
import { Deadline, type InstanceStatus, type ProbeReport, rows } from '@muster/contracts';
import type { Bus } from '@muster/contracts/bus';
import { type HttpTarget, type ProbeResult, probe } from '@muster/probes';
import { type Place, reachOf } from '../core/reach.ts';
import type { Cadence, Caps } from '../core/schedule.ts';
import type { Stamp } from './announcer.ts';
import type { Fleet } from './fleet.ts';
import { Scheduler } from './scheduler.ts';

const NOT_YET = 'not probed yet';

export interface ProbingOptions {
  readonly bus: Bus;
  readonly prober: string;
  readonly own: Place;
  readonly fleet: Fleet;
  readonly placeOf: (host: string) => Place | undefined;
  readonly cadence: Cadence;
  readonly caps: Caps;
  readonly timeoutMs: number;
  /** An answer that takes longer is `degraded`. */
  readonly degradedAfterMs: number;
  readonly stamp: () => Stamp;
  /** Says whether the failure of this target is still being confirmed. */
  readonly onReport: (report: ProbeReport) => { readonly isSoft: boolean };
}

export class Probing {
  readonly #options: ProbingOptions;
  readonly #scheduler: Scheduler;
  /** By instance key: what is probed there, so that only a change begins anew. */
  readonly #targets = new Map<string, string>();

  constructor(options: ProbingOptions) {
    this.#options = options;
    this.#scheduler = new Scheduler(options.cadence, options.caps);
  }

  get targets(): number {
    return this.#scheduler.size;
  }

  /** The instance, its spec or its host has changed. */
  update(key: string): void {
    const target = this.#targetOf(key);
    if ('why' in target) {
      this.#targets.delete(key);
      this.#scheduler.remove(key);
      return;
    }
    const { status, http } = target;
    const identity = `${status.generation} ${http.url}`;
    if (this.#targets.get(key) === identity) return;
    this.#targets.set(key, identity);
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
    return 'why' in target ? target.why : NOT_YET;
  }

  probeNow(key: string): boolean {
    return this.#scheduler.hurry(key);
  }

  stop(): void {
    this.#scheduler.stop();
  }

  #targetOf(key: string): { readonly status: InstanceStatus; readonly http: HttpTarget } | { readonly why: string } {
    const { fleet, own, placeOf } = this.#options;
    const status = fleet.statuses.get(key);
    if (status === undefined) return { why: 'it is not known here' };
    const url = fleet.specOf(status)?.healthCheckUrl;
    if (url === undefined) return { why: 'it has no health_check_url' };
    if (status.state !== 'running' || status.desired === 'down') return { why: `it is ${status.state}` };
    const reach = reachOf(url, placeOf(status.host), own);
    return reach.canReach ? { status, http: { kind: 'http', url } } : { why: reach.reason };
  }

  async #probe(status: InstanceStatus, http: HttpTarget, stopping: AbortSignal): Promise<{ isSoft: boolean }> {
    const { timeoutMs, degradedAfterMs, onReport } = this.#options;
    using deadline = new Deadline(timeoutMs, stopping);
    const result = await probe(http, deadline.signal);
    if (stopping.aborted) return { isSoft: false };
    const report = reportOf(this.#frame(status), result, degradedAfterMs);
    this.#publish(report);
    return onReport(report);
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
