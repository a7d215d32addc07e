/** The agent's heartbeat: every two seconds, jittered, for as long as it lives. */
import { type AgentPresence, rows } from '@muster/contracts';
import { type Bus, type Pulse, startHeartbeat } from '@muster/contracts/bus';
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

export class Presence implements Disposable {
  readonly #options: PresenceOptions;
  #heartbeat: Disposable | undefined;

  constructor(options: PresenceOptions) {
    this.#options = options;
  }

  start(): void {
    const { bus, host, freshness } = this.#options;
    this.#heartbeat = startHeartbeat((pulse) => {
      if (!bus.isConnected) return;
      const message = this.#message(pulse);
      bus.publish(rows.hostPresence, { host }, message);
      freshness.said(message.seq, monotonicNowMs());
    });
  }

  [Symbol.dispose](): void {
    this.#heartbeat?.[Symbol.dispose]();
  }

  #message(pulse: Pulse): AgentPresence {
    const { host, version, identity, envelopes, facts } = this.#options;
    return {
      ...envelopes.next(),
      host,
      version,
      ...pulse,
      agentId: identity.agentId,
      bootId: identity.bootId,
      networkNamespace: identity.networkNamespace,
      monotonicMs: monotonicNowMs(),
      ...facts(),
    };
  }
}
