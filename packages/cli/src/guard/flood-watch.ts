import { streamName } from '@muster/contracts';
import { FloodMeter, type HostWrites, type IdentityLoad } from '@muster/contracts/bus';
import type { FloodLimits } from './flood-limits.ts';

/** Who has gone beyond what any program has to say, and how. */
export interface Flooder {
  /** `agent/web1`. */
  readonly identity: string;
  readonly key?: string;
  readonly why: string;
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

  constructor(environment: string, limits: FloodLimits) {
    this.#limits = limits;
    this.#logs = streamName(environment, 'logs');
    this.#bytes = new FloodMeter(limits.bytes);
    this.#messages = new FloodMeter(limits.messages);
    this.#openings = new FloodMeter(limits.openings);
    this.#stored = new FloodMeter(limits.stored);
    this.#storedLogs = new FloodMeter(limits.storedLogs);
  }

  /** As the servers count it, and as it was found in the streams. */
  charge(loads: readonly IdentityLoad[], writes: readonly HostWrites[], nowMs: number): readonly Flooder[] {
    const flooders = new Map<string, Flooder>();
    for (const load of loads) {
      const why = this.#whyOf(load, nowMs);
      const { identity, key } = load;
      if (why !== undefined) flooders.set(identity, { identity, ...(key !== undefined && { key }), why });
    }
    for (const { stream, host, bytes } of writes) {
      const meter = stream === this.#logs ? this.#storedLogs : this.#stored;
      const identity = `agent/${host}`;
      const isOver = meter.charge(`${identity} ${stream}`, bytes, nowMs);
      const why = `it has written more into ${stream} than any host has to say`;
      if (isOver && !flooders.has(identity)) flooders.set(identity, { identity, why });
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
