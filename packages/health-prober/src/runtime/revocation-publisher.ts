/**
 * Hands the list of revoked keys to agents that announce an older one. The list proves itself, so an agent need not trust
 * who brings it; the leading prober does, for it hears every host anyway.
 */
import { type AgentPresence, commands } from '@muster/contracts';
import { type Bus, followRevocations, type SignedRevocations, type Subscription, uuidv7 } from '@muster/contracts/bus';
import { monotonicMs, wallTime } from './clock.ts';

/** An agent that does not take it is asked again after this long. */
const RETRY_MS = 30_000;
const ANSWER_TIMEOUT_MS = 5_000;
/** Of a large fleet the others are served at their next heartbeats. */
const MAX_IN_FLIGHT = 50;

export interface RevocationPublisherOptions {
  readonly bus: Bus;
  readonly prober: string;
  readonly onProblem: (what: string, error?: unknown) => void;
}

export class RevocationPublisher {
  readonly #options: RevocationPublisherOptions;
  readonly #following: Subscription;
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
  }

  noteHeartbeat({ host, revocationsVersion = 0 }: AgentPresence): void {
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

  stop(): void {
    this.#following.stop();
  }

  async #deliver(host: string, { text }: SignedRevocations): Promise<void> {
    const { bus, prober, onProblem } = this.#options;
    const source = `prober/${prober}`;
    this.#inFlight += 1;
    try {
      const request = { id: uuidv7(), time: wallTime(), source, actor: source, list: text };
      const options = { timeoutMs: ANSWER_TIMEOUT_MS };
      const { accepted, reason } = await bus.request(commands.revocations, { host }, request, options);
      if (!accepted) onProblem(`'${host}' does not take the list of revoked keys: ${reason}`);
    } catch (error) {
      onProblem(`cannot bring '${host}' the list of revoked keys`, error);
    } finally {
      this.#inFlight -= 1;
    }
  }
}
