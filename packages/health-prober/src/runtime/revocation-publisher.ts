/**
 * Hands the list of revoked keys to agents that announce an older one. The list proves itself, so an agent need not trust
 * who brings it; the leading prober does, for it hears every host anyway.
 */
import type { AgentPresence } from '@muster/contracts';
import { type Bus, followRevocations, type SignedRevocations, type Subscription } from '@muster/contracts/bus';
import type { FleetClient } from '@muster/contracts/client';
import { monotonicMs } from './clock.ts';

/** An agent that does not take it is asked again after this long. */
const RETRY_MS = 30_000;
/** Of a large fleet the others are served at their next heartbeats. */
const MAX_IN_FLIGHT = 50;

export interface RevocationPublisherOptions {
  readonly bus: Bus;
  readonly fleet: FleetClient;
  readonly onProblem: (what: string) => void;
}

export class RevocationPublisher {
  readonly #options: RevocationPublisherOptions;
  readonly #following: Subscription;
  readonly #stopListening: () => void;
  readonly #triedAtMs = new Map<string, number>();
  #list: SignedRevocations | undefined;
  #inFlight = 0;

  constructor(options: RevocationPublisherOptions) {
    this.#options = options;
    const take = (list: SignedRevocations) => {
      if (list.list.version <= (this.#list?.list.version ?? 0)) return;
      this.#list = list;
      this.#triedAtMs.clear();
    };
    this.#following = followRevocations(options.bus, take, { isKeeper: true });
    this.#stopListening = options.fleet.onChange((change) => {
      if (change.kind === 'host-presence') this.#hear(change.heartbeat);
    });
  }

  stop(): void {
    this.#following.stop();
    this.#stopListening();
  }

  #hear({ host, revocationsVersion = 0 }: AgentPresence): void {
    const list = this.#list;
    if (list === undefined || revocationsVersion >= list.list.version) {
      this.#triedAtMs.delete(host);
      return;
    }
    const nowMs = monotonicMs();
    const triedAtMs = this.#triedAtMs.get(host) ?? Number.NEGATIVE_INFINITY;
    if (this.#inFlight >= MAX_IN_FLIGHT || nowMs - triedAtMs < RETRY_MS) return;
    this.#triedAtMs.set(host, nowMs);
    void this.#deliver(host, list);
  }

  /** Never rejects. */
  async #deliver(host: string, { text }: SignedRevocations): Promise<void> {
    const { fleet, onProblem } = this.#options;
    this.#inFlight += 1;
    const result = await fleet.ask(host, 'revocations', { list: text });
    this.#inFlight -= 1;
    if (result.outcome === 'refused') onProblem(`'${host}' does not take the list of revoked keys: ${result.reason}`);
    else if (result.outcome !== 'accepted') {
      onProblem(`cannot bring '${host}' the list of revoked keys: ${result.reason}`);
    }
  }
}
