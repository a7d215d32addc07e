import { setTimeout as delay } from 'node:timers/promises';
import { keys, type Lease } from '@muster/contracts';
import { type Bus, type KvBucket, uuidv7 } from '@muster/contracts/bus';
import { isFree, isHeld, LEASE_RENEW_MS, type Sighting, sight } from '../core/lease.ts';
import { monotonicMs, wallTime } from './clock.ts';

const LOOK_EVERY_MS = 1_000;
const KEY = keys.lease('judge', 'main');

export interface LeaseKeeperOptions {
  readonly bus: Bus;
  readonly prober: string;
  readonly epoch: number;
}

/** Holds the lease of the judge, one term after another. */
export class LeaseKeeper {
  readonly #bucket: KvBucket<Lease>;
  readonly #bus: Bus;
  readonly #self: Pick<Lease, 'holder' | 'epoch'>;
  #term = 0;
  #revision = 0;
  #renewedAtMs = Number.NEGATIVE_INFINITY;

  constructor({ bus, prober, epoch }: LeaseKeeperOptions) {
    this.#bus = bus;
    this.#bucket = bus.kv('leases');
    this.#self = { holder: prober, epoch };
  }

  /** Settles once it is ours. @throws the signal's reason. */
  async acquire(signal: AbortSignal): Promise<void> {
    let sighting: Sighting | undefined;
    let isUnbroken = false;
    for (;;) {
      await this.#bus.connected(signal);
      try {
        const entry = await this.#bucket.get(KEY);
        const nowMs = monotonicMs();
        if (entry === undefined) {
          if (await this.#write(1, () => this.#bucket.create(KEY, this.#lease(1)))) return;
        } else {
          const { holder, term } = entry.value;
          sighting = sight(sighting, { holder, revision: entry.revision }, nowMs, isUnbroken);
          const next = term + 1;
          const take = () => this.#bucket.update(KEY, this.#lease(next), entry.revision);
          if (isFree(sighting, this.#self.holder, nowMs) && (await this.#write(next, take))) return;
        }
        isUnbroken = true;
      } catch {
        // The bus went away meanwhile, or the bucket is not there yet: looked at again, and time counts from then.
        isUnbroken = false;
      }
      await delay(LOOK_EVERY_MS, undefined, { signal });
    }
  }

  /** Renews it until it is lost or `signal` ends it; resolves with why. */
  async hold(signal: AbortSignal): Promise<string> {
    const term = this.#term;
    while (!signal.aborted) {
      await delay(LEASE_RENEW_MS / 2, undefined, { signal }).catch(() => undefined);
      // Two that renew would each take the other for another prober.
      if (this.#term !== term) return 'it was taken anew, for another term';
      if (!isHeld(this.#renewedAtMs, monotonicMs())) return 'it could not be renewed in time';
      if (monotonicMs() - this.#renewedAtMs < LEASE_RENEW_MS || !this.#bus.isConnected) continue;
      const renew = () => this.#bucket.update(KEY, this.#lease(this.#term), this.#revision);
      const isOurs = await this.#write(this.#term, renew).catch(() => undefined);
      if (isOurs === false) return 'another prober has taken it';
    }
    return 'the prober is stopping';
  }

  #lease(term: number): Lease {
    return {
      id: uuidv7(),
      time: wallTime(),
      source: `prober/${this.#self.holder}`,
      ...this.#self,
      term,
    };
  }

  async #write(term: number, write: () => Promise<{ revision: number } | undefined>): Promise<boolean> {
    const sentMs = monotonicMs();
    const written = await write();
    if (written === undefined) return false;
    this.#term = term;
    this.#revision = written.revision;
    this.#renewedAtMs = sentMs;
    return true;
  }
}
