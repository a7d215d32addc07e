/** Samples the host and its services at their rate, each second while somebody watches, and publishes what it saw. */
import { setTimeout as delay } from 'node:timers/promises';
import {
  Deadline,
  type HostInventory,
  type HostMetrics,
  type HostSample,
  rows,
  type ServiceSample,
} from '@muster/contracts';
import type { Bus } from '@muster/contracts/bus';
import type { Envelopes } from '../../bus/envelopes.ts';
import { monotonicNowMs } from '../../host/clock.ts';
import { HostSampler } from '../../host/host-sampler.ts';
import type { InventoryResult } from '../../host/inventory.ts';
import { ProcReader } from '../../host/proc-reader.ts';
import { type SampledInstance, ServiceSampler } from '../../host/service-sampler.ts';

export interface MetricsPublisherOptions {
  readonly host: string;
  readonly intervalMs: number;
  readonly envelopes: Envelopes;
  readonly bus: Pick<Bus, 'publish' | 'isConnected'>;
  readonly instances: () => readonly SampledInstance[];
  readonly readInventory: (signal: AbortSignal) => Promise<InventoryResult>;
  /** Told of each look, also while the bus is away. */
  readonly onSample: (host: HostSample, services: readonly ServiceSample[]) => void;
  readonly onProblem: (error: unknown) => void;
}

const WATCHED_INTERVAL_MS = 1_000;
const WATCH_LEASE_MS = 15_000;
/** The start belongs to the services: an agent that takes over hundreds of them has no time for samples. */
const FIRST_SAMPLE_AFTER_MS = 1_000;
const INVENTORY_AFTER_MS = 3_000;
const INVENTORY_TIMEOUT_MS = 20_000;
/** A service's sample is some 230 bytes of JSON: this many, with the sample of a host of any size, stay below a message's size. */
const SERVICES_PER_PART = 500;

export class MetricsPublisher implements Disposable {
  readonly #options: MetricsPublisherOptions;
  readonly #reader = new ProcReader();
  readonly #host = new HostSampler({ reader: this.#reader });
  readonly #services = new ServiceSampler({ reader: this.#reader });
  readonly #closing = new AbortController();
  #inventory: HostInventory | undefined;
  #watchedUntilMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: MetricsPublisherOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setTimeout(() => this.#tick(), FIRST_SAMPLE_AFTER_MS);
    void this.#takeInventory();
  }

  /** Samples each second for `leaseMs` from now. */
  watch(): { readonly leaseMs: number } {
    const isWatched = this.#isWatched();
    this.#watchedUntilMs = monotonicNowMs() + WATCH_LEASE_MS;
    if (!isWatched) {
      clearTimeout(this.#timer);
      this.#tick();
    }
    return { leaseMs: WATCH_LEASE_MS };
  }

  [Symbol.dispose](): void {
    this.#closing.abort();
    clearTimeout(this.#timer);
    this.#reader[Symbol.dispose]();
  }

  async #takeInventory(): Promise<void> {
    using deadline = new Deadline(INVENTORY_TIMEOUT_MS, this.#closing.signal);
    await delay(INVENTORY_AFTER_MS, undefined, { signal: deadline.signal, ref: false }).catch(() => undefined);
    if (this.#closing.signal.aborted) return;
    const result = await this.#options.readInventory(deadline.signal);
    if (this.#closing.signal.aborted) return;
    if (result.kind === 'inventory') this.#inventory = result.inventory;
    else this.#options.onProblem(new Error(result.reason));
  }

  #isWatched(): boolean {
    return monotonicNowMs() < this.#watchedUntilMs;
  }

  #tick(): void {
    const intervalMs = this.#isWatched() ? WATCHED_INTERVAL_MS : this.#options.intervalMs;
    try {
      // Rates are those since the last sample, so it is taken also while nobody can hear of it.
      const pids = this.#reader.pids();
      const sample = this.#host.sample(pids);
      const services = this.#services.sample(this.#options.instances(), pids);
      this.#options.onSample(sample, services);
      if (this.#options.bus.isConnected) this.#publish(sample, services, intervalMs);
    } catch (error) {
      this.#options.onProblem(error);
    }
    this.#timer = setTimeout(() => this.#tick(), intervalMs);
  }

  #publish(sample: HostSample, services: readonly ServiceSample[], intervalMs: number): void {
    const { bus, host, envelopes } = this.#options;
    const parts = Math.max(1, Math.ceil(services.length / SERVICES_PER_PART));
    for (let part = 0; part < parts; part += 1) {
      const message: HostMetrics = {
        ...envelopes.next(),
        host,
        part,
        parts,
        intervalMs,
        ...(part === 0 && { sample }),
        ...(part === 0 && this.#inventory !== undefined && { inventory: this.#inventory }),
        services: services.slice(part * SERVICES_PER_PART, (part + 1) * SERVICES_PER_PART),
      };
      bus.publish(rows.hostMetrics, { host }, message);
    }
  }
}
