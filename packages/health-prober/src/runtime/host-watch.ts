import { type AgentPresence, rows } from '@muster/contracts';
import type { Bus, Subscription } from '@muster/contracts/bus';
import { silentForMs } from '../core/silence.ts';
import { monotonicMs } from './clock.ts';

const LOOK_EVERY_MS = 500;
/** A look this late means that we slept ourselves: what was sent meanwhile has not been read yet. */
const OVERSLEPT_MS = 2_000;

export interface HostWatchOptions {
  readonly bus: Bus;
  /** Hosts that must be there although they may never have been heard. */
  readonly expected: () => Iterable<string>;
  /** When it begins (the ms of silence so far) and when it ends (0); also when a host is heard for the first time. */
  readonly onSilence: (host: string, silentMs: number, lastBeatId: string | undefined) => void;
  /** The first beat of a host, and the first with another identity or place. */
  readonly onChange: (host: string) => void;
  readonly onBeat: (presence: AgentPresence) => void;
}

/** Listens to the presence of all hosts, and says which fall silent and which are back. */
export class HostWatch {
  readonly #options: HostWatchOptions;
  readonly #beats = new Map<string, { presence: AgentPresence; atMs: number }>();
  readonly #subscription: Subscription;
  readonly #timer: NodeJS.Timeout;
  /** What was last said of each host. */
  readonly #isGone = new Map<string, boolean>();
  #lookedAtMs = monotonicMs();
  #awakeSinceMs = monotonicMs();

  constructor(options: HostWatchOptions) {
    this.#options = options;
    this.#subscription = options.bus.subscribe(rows.hostPresence, {}, (presence) => this.#hear(presence));
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
  }

  presenceOf(host: string): AgentPresence | undefined {
    return this.#beats.get(host)?.presence;
  }

  isGone(host: string): boolean {
    return this.#isGone.get(host) ?? false;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#subscription.stop();
  }

  #hear(presence: AgentPresence): void {
    const { host } = presence;
    const before = this.#beats.get(host)?.presence;
    this.#beats.set(host, { presence, atMs: monotonicMs() });
    this.#say(host, 0);
    const isSame =
      before !== undefined &&
      before.agentId === presence.agentId &&
      before.bootId === presence.bootId &&
      before.networkNamespace === presence.networkNamespace;
    if (!isSame) this.#options.onChange(host);
    this.#options.onBeat(presence);
  }

  #look(): void {
    const nowMs = monotonicMs();
    if (nowMs - this.#lookedAtMs > LOOK_EVERY_MS + OVERSLEPT_MS) this.#awakeSinceMs = nowMs;
    this.#lookedAtMs = nowMs;
    const { bus, expected } = this.#options;
    const { connectedSinceMs } = bus;
    const sinceMs = connectedSinceMs === undefined ? undefined : Math.max(connectedSinceMs, this.#awakeSinceMs);
    for (const host of new Set([...this.#beats.keys(), ...expected()])) {
      const silentMs = silentForMs(this.#beats.get(host)?.atMs, { sinceMs, nowMs });
      if (silentMs > 0) this.#say(host, silentMs);
    }
  }

  #say(host: string, silentMs: number): void {
    const isGone = silentMs > 0;
    if (this.#isGone.get(host) === isGone) return;
    this.#isGone.set(host, isGone);
    this.#options.onSilence(host, silentMs, this.#beats.get(host)?.presence.id);
  }
}
