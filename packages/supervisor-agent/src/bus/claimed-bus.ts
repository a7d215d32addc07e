/**
 * The bus of an agent that may not be the only one for its host. It stands behind a gate that is open only while this agent
 * holds the host: to all who use it the bus is away otherwise. What must not be lost waits on disk then, what is only worth
 * something fresh is dropped, no command is heard. Only the question who holds the host is asked and answered past the gate.
 */
import { type Claimant, commands } from '@muster/contracts';
import { type Bus, type BusOptions, type NatsBus, openBus, type Subscription } from '@muster/contracts/bus';
import { type ClaimEvent, type ClaimState, NOT_CONNECTED, stepClaim, TAKE_OVER_AFTER_MS } from '../core/host-claim.ts';
import { monotonicNowMs } from '../host/clock.ts';
import type { Envelopes } from './envelopes.ts';

export interface ClaimedBusOptions extends BusOptions {
  readonly self: Claimant;
  readonly envelopes: Envelopes;
  /** Another agent speaks for this host, and this one waits. */
  readonly onTaken: (reason: string) => void;
  /** Another agent would like to speak for this host, told once for each. */
  readonly onRival: (reason: string) => void;
  /** How long another agent may take to answer; default 2 s. */
  readonly answerTimeoutMs?: number;
}

const ANSWER_TIMEOUT_MS = 2_000;
const JITTER = 0.25;

export class ClaimedBus implements AsyncDisposable {
  /** Away unless this agent holds its host. */
  readonly bus: Bus;
  readonly #options: ClaimedBusOptions;
  /** Past the gate. */
  readonly #open: NatsBus;
  readonly #gate: ReturnType<NatsBus['gated']>['gate'];
  readonly #knownRivals = new Set<string>();
  readonly #waiters = new Set<() => void>();
  readonly #stopListening: () => void;
  #state: ClaimState = NOT_CONNECTED;
  #answering: Subscription | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isAsking = false;
  /** Something happened while it asked that it must ask about once more. */
  #asksAgain = false;
  #hasEnded = false;

  /** Connects in the background, and asks on each connection. */
  constructor(options: ClaimedBusOptions) {
    this.#options = options;
    this.#open = openBus(options);
    const { bus, gate } = this.#open.gated();
    this.bus = bus;
    this.#gate = gate;
    this.#stopListening = this.#open.onConnection(({ connected, reason }) => {
      this.#take({ type: connected ? 'connected' : 'disconnected' }, reason);
    });
  }

  /** Who speaks for this host instead. */
  get rival(): Claimant | undefined {
    return this.#state.name === 'waiting' ? this.#state.rival : undefined;
  }

  /** Why nothing is said although there is a connection. */
  get reason(): string | undefined {
    return this.#state.name === 'waiting' ? this.#whyWaiting(this.#state.rival) : undefined;
  }

  /** Waits until it is known whether this agent speaks for its host, or until `signal` is aborted. */
  async settled(signal: AbortSignal): Promise<void> {
    if (this.#isSettled || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const settle = () => {
        this.#waiters.delete(settle);
        signal.removeEventListener('abort', settle);
        resolve();
      };
      this.#waiters.add(settle);
      signal.addEventListener('abort', settle);
    });
  }

  /** Sends what is still to be sent, and closes. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#hasEnded = true;
    clearTimeout(this.#timer);
    this.#stopListening();
    await this.#open.drain();
  }

  get #isSettled(): boolean {
    return this.#state.name === 'holding' || this.#state.name === 'waiting';
  }

  #take(event: ClaimEvent, reason: string): void {
    const before = this.#state;
    const { state, askInMs } = stepClaim(before, event, this.#options.self, monotonicNowMs());
    this.#state = state;
    if (state.name !== 'holding' && before.name === 'holding') this.#letGo(reason);
    if (state.name === 'holding' && before.name !== 'holding') this.#hold(before, reason);
    if (state.name === 'waiting' && before.name !== 'waiting') {
      const isBack = before.name === 'away' && before.rival !== null;
      if (!isBack) this.#options.onTaken(this.#whyWaiting(state.rival));
    }
    if (this.#isSettled) for (const settle of this.#waiters) settle();
    if (state.name === 'away') clearTimeout(this.#timer);
    else if (askInMs !== null) this.#askIn(askInMs);
  }

  #hold(before: ClaimState, reason: string): void {
    const host = this.#open.id;
    const { self, envelopes } = this.#options;
    this.#answering = this.#open.respond(commands.claim, { host }, async (request) => {
      if (request.claimant === self.claimant) return undefined;
      this.#hear(request);
      const answer = { accepted: false, code: 'wrong-state' as const, reason: `another agent speaks for '${host}'` };
      return { ...envelopes.unordered(), commandId: request.id, ...answer, ...self };
    });
    const isSuccessor = before.name === 'waiting';
    const why = `the other agent of '${host}' has been silent for ${TAKE_OVER_AFTER_MS / 1_000} s: this one speaks now`;
    this.#gate.open(isSuccessor ? why : reason);
  }

  #letGo(reason: string): void {
    this.#answering?.stop();
    this.#gate.shut(reason);
  }

  #hear({ claimant, agentId, isHolder }: Claimant & { readonly isHolder: boolean }): void {
    if (isHolder) this.#take({ type: 'asked-by-holder' }, '');
    if (this.#knownRivals.has(claimant)) return;
    this.#knownRivals.add(claimant);
    this.#options.onRival(
      `another agent (${agentId}) wants to speak for '${this.#open.id}' too: give it another host id`,
    );
  }

  #askIn(waitMs: number): void {
    clearTimeout(this.#timer);
    if (this.#hasEnded) return;
    this.#timer = setTimeout(() => void this.#ask(), waitMs * (1 + JITTER * (2 * Math.random() - 1)));
  }

  /** One question at a time; the next one is the answer's to arrange. */
  async #ask(): Promise<void> {
    this.#asksAgain = this.#isAsking;
    if (this.#isAsking) return;
    this.#isAsking = true;
    const sinceMs = this.#open.connectedSinceMs;
    const rival = await this.#whoElse();
    this.#isAsking = false;
    // Of a connection that is gone an answer says nothing, and who ends has nothing more to say.
    if (this.#hasEnded) return;
    if (this.#open.connectedSinceMs === sinceMs) {
      if (rival === undefined) this.#take({ type: 'unanswered' }, 'connected');
      else this.#take({ type: 'answered', rival }, this.#whyWaiting(rival));
    }
    if (this.#asksAgain && this.#open.isConnected) this.#askIn(0);
  }

  /** Never rejects. */
  async #whoElse(): Promise<Claimant | undefined> {
    const { self, envelopes, answerTimeoutMs: timeoutMs = ANSWER_TIMEOUT_MS } = this.#options;
    const envelope = envelopes.unordered();
    const isHolder = this.#state.name === 'holding';
    const request = { ...envelope, actor: envelope.source, ...self, isHolder };
    try {
      return await this.#open.request(commands.claim, { host: this.#open.id }, request, { timeoutMs });
    } catch {
      return undefined;
    }
  }

  #whyWaiting({ agentId, bootId }: Claimant): string {
    const place = bootId === this.#options.self.bootId ? 'on this machine' : 'on another machine, or before a reboot';
    return `another agent (${agentId}, ${place}) speaks for '${this.#open.id}': this one supervises and says nothing until that one has been silent for ${TAKE_OVER_AFTER_MS / 1_000} s; give one of them another host id`;
  }
}
