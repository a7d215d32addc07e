import { type AgentPresence, rows } from '@muster/contracts';
import type { Bus, Subscription } from '@muster/contracts/bus';
import { type Listening, silentForMs } from '../core/silence.ts';
import { monotonicMs } from './clock.ts';

const LOOK_EVERY_MS = 500;
/** A look this late means that we slept ourselves: what was sent meanwhile has not been read yet. */
const OVERSLEPT_MS = 2_000;

export interface HostWatchOptions {
  readonly bus: Bus;
  /** Hosts that must be there although they may never have been heard. */
  readonly expected: () => Iterable<string>;
  /** When it begins (the ms of silence so far) and when it ends (0); also when a host is heard for the first time. */
  readonly onSilence: (host: string, silentMs: number, lastHeartbeatId: string | undefined) => void;
  /** The first heartbeat of a host, and the first with another identity or place. */
  readonly onChange: (host: string) => void;
  /** Each heartbeat. */
  readonly onHeartbeat: (presence: AgentPresence) => void;
}

/** Listens to the presence of all hosts, and says which fall silent and which are back. */
export class HostWatch {
  readonly #options: HostWatchOptions;
  readonly #heartbeats = new Map<string, { presence: AgentPresence; atMs: number }>();
  readonly #subscription: Subscription;
  readonly #timer: NodeJS.Timeout;
  /** What was last said of each host. */
  readonly #isGone = new Map<string, boolean>();
  /** Taken away: not missed until they are heard again. */
  readonly #forgotten = new Set<string>();
  #lookedAtMs = monotonicMs();
  #awakeSinceMs = monotonicMs();

  constructor(options: HostWatchOptions) {
    this.#options = options;
    this.#subscription = options.bus.subscribe(rows.hostPresence, {}, (presence) => this.#hear(presence));
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
  }

  presenceOf(host: string): AgentPresence | undefined {
    return this.#heartbeats.get(host)?.presence;
  }

  isGone(host: string): boolean {
    return this.#isGone.get(host) ?? false;
  }

  /** How long a host has been silent, 0 when it is heard; `undefined` while that can't be said yet. */
  silenceOf(host: string): number | undefined {
    const listening = this.#listening(monotonicMs());
    if (listening.sinceMs === undefined) return undefined;
    const heardAtMs = this.#heartbeats.get(host)?.atMs;
    const silentMs = silentForMs(heardAtMs, listening);
    if (silentMs > 0) return silentMs;
    return heardAtMs !== undefined && heardAtMs >= listening.sinceMs ? 0 : undefined;
  }

  /** It was taken away, and is missed no more. */
  forget(host: string): void {
    this.#heartbeats.delete(host);
    this.#isGone.delete(host);
    this.#forgotten.add(host);
  }

  /** Heard at some time, and not taken away since. */
  knows(host: string): boolean {
    return this.#heartbeats.has(host);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#subscription.stop();
  }

  #hear(presence: AgentPresence): void {
    const { host } = presence;
    const before = this.#heartbeats.get(host)?.presence;
    this.#heartbeats.set(host, { presence, atMs: monotonicMs() });
    this.#forgotten.delete(host);
    this.#say(host, 0);
    this.#options.onHeartbeat(presence);
    const isSame =
      before !== undefined &&
      before.agentId === presence.agentId &&
      before.bootId === presence.bootId &&
      before.networkNamespace === presence.networkNamespace;
    if (!isSame) this.#options.onChange(host);
  }

  #look(): void {
    const nowMs = monotonicMs();
    if (nowMs - this.#lookedAtMs > LOOK_EVERY_MS + OVERSLEPT_MS) this.#awakeSinceMs = nowMs;
    this.#lookedAtMs = nowMs;
    const listening = this.#listening(nowMs);
    for (const host of new Set([...this.#heartbeats.keys(), ...this.#options.expected()])) {
      if (this.#forgotten.has(host)) continue;
      const silentMs = silentForMs(this.#heartbeats.get(host)?.atMs, listening);
      if (silentMs > 0) this.#say(host, silentMs);
    }
  }

  #listening(nowMs: number): Listening {
    const { connectedSinceMs } = this.#options.bus;
    return {
      sinceMs: connectedSinceMs === undefined ? undefined : Math.max(connectedSinceMs, this.#awakeSinceMs),
      nowMs,
    };
  }

  #say(host: string, silentMs: number): void {
    const isGone = silentMs > 0;
    if (this.#isGone.get(host) === isGone) return;
    this.#isGone.set(host, isGone);
    this.#options.onSilence(host, silentMs, this.#heartbeats.get(host)?.presence.id);
  }
}
