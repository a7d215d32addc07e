/** The agent's heartbeat: every two seconds, jittered, for as long as it lives. */
import { type AgentPresence, PRESENCE_INTERVAL_MS, rows } from '@muster/contracts';
import type { Bus } from '@muster/contracts/bus';
import { monotonicNowMs } from '../host/clock.ts';
import type { AgentIdentity } from '../state/agent-identity.ts';
import type { Envelopes } from './envelopes.ts';
import type { Freshness } from './freshness.ts';

export interface PresenceOptions {
  readonly host: string;
  readonly version: string;
  readonly identity: AgentIdentity;
  readonly envelopes: Envelopes;
  readonly freshness: Freshness;
  readonly bus: Pick<Bus, 'publish' | 'isConnected'>;
  readonly facts: () => Pick<AgentPresence, 'keysDigest' | 'services' | 'backlog' | 'revocationsVersion'>;
}

const JITTER = 0.25;

export class Presence implements Disposable {
  readonly #options: PresenceOptions;
  readonly #startedAtMs = monotonicNowMs();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: PresenceOptions) {
    this.#options = options;
  }

  start(): void {
    this.#heartbeat(0);
  }

  #heartbeat(eventLoopLagMs: number): void {
    const { bus, host, freshness } = this.#options;
    if (bus.isConnected) {
      const message = this.#message(eventLoopLagMs);
      bus.publish(rows.hostPresence, { host }, message);
      freshness.said(message.seq, monotonicNowMs());
    }
    const waitMs = PRESENCE_INTERVAL_MS * (1 + JITTER * (Math.random() - 0.5) * 2);
    const dueAtMs = monotonicNowMs() + waitMs;
    this.#timer = setTimeout(() => this.#heartbeat(Math.max(0, monotonicNowMs() - dueAtMs)), waitMs);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #message(eventLoopLagMs: number): AgentPresence {
    const { host, version, identity, envelopes, facts } = this.#options;
    const nowMs = monotonicNowMs();
    return {
      ...envelopes.next(),
      host,
      version,
      uptimeSeconds: (nowMs - this.#startedAtMs) / 1_000,
      eventLoopLagMs,
      agentId: identity.agentId,
      bootId: identity.bootId,
      networkNamespace: identity.networkNamespace,
      monotonicMs: nowMs,
      ...facts(),
    };
  }
}
