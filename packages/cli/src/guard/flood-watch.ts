import { streamName } from '@muster/contracts';
import { type IdentityLoad, type SenderWrites } from '@muster/contracts/admin';
import { FloodMeter } from '@muster/contracts/bus';
import type { BroughtLimits, FloodLimits } from './flood-limits.ts';
import { StoreEpisodes } from './store-episodes.ts';

/** Who has gone beyond what any program has to say, and how. */
export interface Flooder {
  /** `agent/web1`. */
  readonly identity: string;
  readonly key?: string;
  readonly why: string;
  /** By the counters of its own connections. What lies in the store may have been put there in its name. */
  readonly isProven: boolean;
}

/** A tenth of a burst is more than a fleet at work: until it has leaked out nothing counts as known, and the look is closer. */
const CALM = 0.1;

/** Keeps account of what everybody brings. Times are monotonic milliseconds. */
export class FloodWatch {
  readonly #limits: FloodLimits;
  readonly #logs: string;
  readonly #bytes: FloodMeter;
  readonly #messages: FloodMeter;
  readonly #openings: FloodMeter;
  readonly #stored: FloodMeter;
  readonly #storedLogs: FloodMeter;
  readonly #episodes: StoreEpisodes;

  /** `seesConnections`: else there is nothing to wait for that would bear out what is stored. */
  constructor(environment: string, limits: FloodLimits, seesConnections: boolean) {
    this.#episodes = new StoreEpisodes(seesConnections);
    this.#limits = limits;
    this.#logs = streamName(environment, 'logs');
    this.#bytes = new FloodMeter((identity) => limitsOf(identity, limits).bytes);
    this.#messages = new FloodMeter((identity) => limitsOf(identity, limits).messages);
    this.#openings = new FloodMeter(limits.openings);
    this.#stored = new FloodMeter((place) => limitsOf(place, limits).stored);
    this.#storedLogs = new FloodMeter(limits.storedLogs);
  }

  /** As the servers count it. */
  chargeConnections(loads: readonly IdentityLoad[], nowMs: number): readonly Flooder[] {
    this.#episodes.brought(loads);
    return loads.flatMap((load) => {
      const why = this.#whyOf(load, nowMs);
      const { identity, key } = load;
      return why === undefined ? [] : [{ identity, ...(key !== undefined && { key }), why, isProven: true }];
    });
  }

  /** As it was found in the streams. */
  chargeStore(writes: readonly SenderWrites[], nowMs: number): readonly Flooder[] {
    const over = writes.filter((written) => {
      const { identity, stream, bytes } = written;
      const meter = stream === this.#logs ? this.#storedLogs : this.#stored;
      const place = `${identity} ${stream}`;
      this.#episodes.stored(written, meter.isEmpty(place, nowMs));
      return meter.charge(place, bytes, nowMs);
    });
    const flooders = new Map<string, Flooder>();
    for (const { identity, stream, isProven } of this.#episodes.judge(over)) {
      if (flooders.get(identity)?.isProven === true) continue;
      const why = `${isProven ? 'it has' : 'it seems to have'} written more into ${stream} than any program of its has to say`;
      flooders.set(identity, { identity, why, isProven });
    }
    return [...flooders.values()];
  }

  isCalm(nowMs: number): boolean {
    const meters = [this.#bytes, this.#messages, this.#stored, this.#storedLogs];
    return !meters.some((meter) => meter.isAnybodyAbove(CALM, nowMs));
  }

  /** Once it was stopped. */
  forget(identity: string): void {
    for (const meter of [this.#bytes, this.#messages, this.#openings]) meter.forget(identity);
    for (const meter of [this.#stored, this.#storedLogs]) meter.forgetAll((who) => who.startsWith(`${identity} `));
    this.#episodes.forget(identity);
  }

  #whyOf({ identity, bytes, messages, open, opened }: IdentityLoad, nowMs: number): string | undefined {
    const { maxOpen } = this.#limits;
    const tooMuch = [
      this.#bytes.charge(identity, bytes, nowMs) ? 'bytes' : undefined,
      this.#messages.charge(identity, messages, nowMs) ? 'messages' : undefined,
      this.#openings.charge(identity, opened, nowMs) ? 'connections' : undefined,
    ].filter((one) => one !== undefined);
    if (tooMuch.length > 0) return `it has brought more ${tooMuch.join(' and ')} than any program of its has to`;
    return open > maxOpen ? `it has ${open} connections at once, at most ${maxOpen} are of use` : undefined;
  }
}

/** `who`: an identity, or one and a stream. */
function limitsOf(who: string, limits: FloodLimits): BroughtLimits {
  const [role] = who.split('/', 1);
  if (role === 'observer' || role === 'monitor') return limits.small;
  return role === 'agent' ? limits : { ...limits, messages: limits.readersMessages };
}
