import { type ProbeReport, rows } from '@muster/contracts';
import type { Bus } from '@muster/contracts/bus';
import type { ProbeCheck, ProbeKind } from '@muster/contracts/config';
import type { ProbeResult } from '@muster/probes';
import type { Envelopes } from '../../bus/envelopes.ts';
import type { InstanceKey } from '../../drivers/driver.ts';
import { type Hide, hideByLooks } from '../secrets.ts';

/** What was asked, and of which run. */
export interface Question {
  readonly key: InstanceKey;
  readonly generation: number;
  readonly purpose: ProbeKind;
  readonly check: ProbeCheck;
}

/** Says what the agent's own probes saw: votes from the nearest vantage point. */
export class VotePublisher {
  readonly #bus: Pick<Bus, 'publish' | 'isConnected'>;
  readonly #host: string;
  readonly #envelopes: Envelopes;
  readonly #hide: Hide;

  constructor(bus: Pick<Bus, 'publish' | 'isConnected'>, host: string, envelopes: Envelopes, hide: Hide = hideByLooks) {
    this.#hide = hide;
    this.#bus = bus;
    this.#host = host;
    this.#envelopes = envelopes;
  }

  /** Lost while the bus is away: a vote is only worth something fresh. */
  publish({ key: { service, instance }, generation, purpose, check }: Question, result: ProbeResult): void {
    if (!this.#bus.isConnected) return;
    const host = this.#host;
    const { status, durationMs, phases } = result;
    const report: ProbeReport = {
      ...this.#envelopes.next(),
      host,
      service,
      instance,
      generation,
      vantage: { kind: 'agent', id: host },
      purpose,
      protocol: check.kind,
      status,
      durationMs,
      phases,
      ...(result.status !== 'up' && { reason: result.reason, detail: this.#hide(result.detail, service) }),
      ...(result.httpStatus !== undefined && { httpStatus: result.httpStatus }),
    };
    this.#bus.publish(rows.instanceProbe, { host, service, instance }, report);
  }
}
