/**
 * The bus of an agent that may not be the only one for its host. To all who use it the bus is away unless this agent holds
 * the host: what must not be lost waits on disk, what is only worth something fresh is dropped, no command is heard.
 */
import { type Claimant, commands, type Grant, type RequestRow, type Row, type SubjectParams } from '@muster/contracts';
import {
  BusAwayError,
  type BusOptions,
  type ConnectionEvent,
  NatsBus,
  type OrderedOptions,
  type Subscription,
} from '@muster/contracts/bus';
import type { z } from 'zod';
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

/** Something that answers while the host is held. */
interface Responder {
  readonly attach: () => Subscription;
  live: Subscription | undefined;
}

export class ClaimedBus extends NatsBus {
  readonly #options: ClaimedBusOptions;
  readonly #listeners = new Set<(event: ConnectionEvent) => void>();
  readonly #responders = new Set<Responder>();
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
    super(options);
    this.#options = options;
    this.#stopListening = super.onConnection(({ connected, reason }) => {
      this.#take({ type: connected ? 'connected' : 'disconnected' }, reason);
    });
  }

  override get isConnected(): boolean {
    return this.#state.name === 'holding' && super.isConnected;
  }

  override get connectedSinceMs(): number | undefined {
    return this.isConnected ? super.connectedSinceMs : undefined;
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

  override onConnection(listener: (event: ConnectionEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  override publish<T extends string, S extends z.ZodType>(
    row: Row<T, S>,
    params: SubjectParams<T>,
    message: z.input<S>,
  ): void {
    if (this.isConnected) super.publish(row, params, message);
  }

  override publishEncoded(subject: string, payload: Uint8Array, options: OrderedOptions): Promise<{ seq: number }> {
    if (!this.isConnected) return Promise.reject(new BusAwayError(subject, false));
    return super.publishEncoded(subject, payload, options);
  }

  override respond<T extends string, Q extends z.ZodType, R extends z.ZodType>(
    row: RequestRow<T, Q, R>,
    filter: Partial<SubjectParams<T>>,
    handler: (request: z.output<Q>, params: SubjectParams<T>, asker: Grant) => Promise<z.input<R> | undefined>,
  ): Subscription {
    const responder: Responder = { attach: () => super.respond(row, filter, handler), live: undefined };
    this.#responders.add(responder);
    if (this.#state.name === 'holding') responder.live = responder.attach();
    return {
      stop: () => {
        this.#responders.delete(responder);
        responder.live?.stop();
      },
    };
  }

  override drain(): Promise<void> {
    this.#hasEnded = true;
    clearTimeout(this.#timer);
    this.#stopListening();
    return super.drain();
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
    const host = this.id;
    const { self, envelopes } = this.#options;
    this.#answering = super.respond(commands.claim, { host }, async (request) => {
      if (request.claimant === self.claimant) return undefined;
      this.#hear(request);
      const answer = { accepted: false, code: 'wrong-state' as const, reason: `another agent speaks for '${host}'` };
      return { ...envelopes.unordered(), commandId: request.id, ...answer, ...self };
    });
    for (const responder of this.#responders) responder.live = responder.attach();
    const isSuccessor = before.name === 'waiting';
    const why = `the other agent of '${host}' has been silent for ${TAKE_OVER_AFTER_MS / 1_000} s: this one speaks now`;
    this.#tell({ connected: true, reason: isSuccessor ? why : reason });
  }

  #letGo(reason: string): void {
    this.#answering?.stop();
    for (const responder of this.#responders) responder.live?.stop();
    this.#tell({ connected: false, reason });
  }

  #hear({ claimant, agentId, isHolder }: Claimant & { readonly isHolder: boolean }): void {
    if (isHolder) this.#take({ type: 'asked-by-holder' }, '');
    if (this.#knownRivals.has(claimant)) return;
    this.#knownRivals.add(claimant);
    this.#options.onRival(`another agent (${agentId}) wants to speak for '${this.id}' too: give it another host id`);
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
    const sinceMs = super.connectedSinceMs;
    const rival = await this.#whoElse();
    this.#isAsking = false;
    // Of a connection that is gone an answer says nothing, and who ends has nothing more to say.
    if (this.#hasEnded) return;
    if (super.connectedSinceMs === sinceMs) {
      if (rival === undefined) this.#take({ type: 'unanswered' }, 'connected');
      else this.#take({ type: 'answered', rival }, this.#whyWaiting(rival));
    }
    if (this.#asksAgain && super.isConnected) this.#askIn(0);
  }

  /** Never rejects. */
  async #whoElse(): Promise<Claimant | undefined> {
    const { self, envelopes, answerTimeoutMs: timeoutMs = ANSWER_TIMEOUT_MS } = this.#options;
    const envelope = envelopes.unordered();
    const isHolder = this.#state.name === 'holding';
    const request = { ...envelope, actor: envelope.source, ...self, isHolder };
    try {
      return await super.request(commands.claim, { host: this.id }, request, { timeoutMs });
    } catch {
      return undefined;
    }
  }

  #whyWaiting({ agentId, bootId }: Claimant): string {
    const place = bootId === this.#options.self.bootId ? 'on this machine' : 'on another machine, or before a reboot';
    return `another agent (${agentId}, ${place}) speaks for '${this.id}': this one supervises and says nothing until that one has been silent for ${TAKE_OVER_AFTER_MS / 1_000} s; give one of them another host id`;
  }

  #tell(event: ConnectionEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}
