import type { z } from 'zod';
import type { Bus } from '../bus/bus.ts';
import {
  BadReplyError,
  BusAwayError,
  NoGrantError,
  NoResponderError,
  PermissionDeniedError,
  RequestRefusedError,
  RequestTimeoutError,
} from '../bus/errors.ts';
import { uuidv7 } from '../bus/uuid.ts';
import { comparePositions, type Position } from '../envelope.ts';
import { type AGENT_VERBS, type AgentReply, type AgentVerb, CommandCode } from '../messages/command.ts';
import type { InstanceEvent, InstanceRef, InstanceStatus } from '../messages/service.ts';
import { commands, type RequestRow, rows } from '../rows.ts';

/** What is asked beside what every command carries. */
export type CommandArguments<V extends AgentVerb> = Omit<
  z.input<(typeof AGENT_VERBS)[V]['request']>,
  'id' | 'time' | 'source' | 'actor' | 'fresh'
>;

/** Why a command has no answer. */
export type NoAnswer = 'no-agent' | 'no-grant' | 'not-allowed' | 'bus-away' | 'timeout' | 'unreadable';

/** What became of a command. Nobody has to guess whether it acted. */
export type CommandResult<V extends AgentVerb = AgentVerb> =
  | { readonly outcome: 'accepted'; readonly commandId: string; readonly reply: AgentReply<V> }
  /** The agent said no; it did not act. */
  | { readonly outcome: 'refused'; readonly commandId: string; readonly code: CommandCode; readonly reason: string }
  /** It reached nobody; nothing was done. */
  | { readonly outcome: 'undelivered'; readonly commandId: string; readonly code: NoAnswer; readonly reason: string }
  /** It was sent and no answer came: it may have acted. Ask with `outcome`, or look at the state. */
  | { readonly outcome: 'unknown'; readonly commandId: string; readonly code: NoAnswer; readonly reason: string };

export interface FleetCommandsOptions {
  readonly bus: Bus;
  /** Who asks, for the audit: a person or a program. */
  readonly actor: string;
  /** How long an agent may take to answer; default 5 s. */
  readonly timeoutMs?: number;
  /** Where a host's agent stood when it was heard lately; `undefined` when it was not. Default: nobody was heard. */
  readonly positionOf?: (host: string) => Position | undefined;
}

export interface AskOptions {
  readonly fresh?: Position | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The chain behind one instance, oldest first. */
export interface Chain {
  /** `agent`: it answered itself. `stream`: it did not, this is what it had published. */
  readonly source: 'agent' | 'stream';
  /** What the agent said of it now; absent when it did not answer. */
  readonly status: InstanceStatus | undefined;
  readonly events: readonly InstanceEvent[];
}

const TIMEOUT_MS = 5_000;
const CHAIN_EVENTS = 50;

/** The way to command agents. Never rejects for what a bus or an agent can do: that is an outcome. */
export class FleetCommands {
  readonly #options: FleetCommandsOptions;

  constructor(options: FleetCommandsOptions) {
    this.#options = options;
  }

  /** Asks an agent to act. It quotes where the agent stood when it was last heard, or else its answer to `status`. */
  async command<V extends AgentVerb>(
    host: string,
    verb: V,
    args: CommandArguments<V>,
    signal?: AbortSignal,
  ): Promise<CommandResult<V>> {
    const fresh = this.#options.positionOf?.(host);
    if (fresh !== undefined) {
      const result = await this.ask(host, verb, args, { fresh, signal });
      // An agent that has just restarted refuses a heartbeat of before. It did not act, so asking again is safe.
      if (result.outcome !== 'refused' || result.code !== 'stale') return result;
    }
    const status = await this.status(host, signal);
    // Nothing has acted yet, so even an answer that never came leaves the command certainly undone.
    if (status.outcome === 'unknown') return { ...status, outcome: 'undelivered' };
    if (status.outcome !== 'accepted') return status;
    return this.ask(host, verb, args, { fresh: status.reply, signal });
  }

  /**
   * Asks an agent. `fresh` is where it stood when its state was last seen; an agent refuses what quotes an old state, and what
   * acts without quoting any.
   */
  async ask<V extends AgentVerb>(
    host: string,
    verb: V,
    args: CommandArguments<V>,
    { fresh, signal }: AskOptions = {},
  ): Promise<CommandResult<V>> {
    const { bus, actor, timeoutMs = TIMEOUT_MS } = this.#options;
    const commandId = uuidv7();
    const request = {
      ...args,
      id: commandId,
      time: new Date().toISOString(),
      source: `${bus.role}/${bus.id}`,
      actor,
      ...(fresh !== undefined && { fresh: { epoch: fresh.epoch, seq: fresh.seq } }),
    };
    const row: RequestRow<`command.{host}.${string}`> = commands[verb];
    try {
      const asked = bus.request(row, { host }, request, { timeoutMs, ...(signal && { signal }) });
      const reply = (await asked) as AgentReply<V>;
      const { accepted, code, reason } = reply;
      return accepted ? { outcome: 'accepted', commandId, reply } : { outcome: 'refused', commandId, code, reason };
    } catch (error) {
      return failureOf(error, commandId, host);
    }
  }

  /** What an agent says of its services now, and where it stands. */
  status(host: string, signal?: AbortSignal): Promise<CommandResult<'status'>> {
    return this.ask(host, 'status', {}, { signal });
  }

  /** What became of the command `of` that went to this host. `unknown`: its agent has never seen it. */
  outcome(host: string, of: string, signal?: AbortSignal): Promise<CommandResult<'outcome'>> {
    return this.ask(host, 'outcome', { of }, { signal });
  }

  /**
   * Why an instance is as it is: from its agent, or from the stream when the agent does not answer. An instance that
   * nobody knows has no status and no events. @throws what reading the stream throws
   */
  async chain({ host, service, instance }: InstanceRef, signal?: AbortSignal): Promise<Chain> {
    const told = await this.ask(host, 'why', { service, instance }, { signal });
    if (told.outcome === 'accepted') {
      const { status, events } = told.reply;
      return { source: 'agent', status, events: [...events].sort(comparePositions) };
    }
    const stored = await this.#options.bus.history(
      rows.instanceEvent,
      { host, service, instance },
      { last: CHAIN_EVENTS, ...(signal && { signal }) },
    );
    return { source: 'stream', status: undefined, events: stored.map(({ message }) => message) };
  }
}

/** @throws what is neither the bus's nor the agent's doing */
function failureOf(error: unknown, commandId: string, host: string): Exclude<CommandResult, { outcome: 'accepted' }> {
  if (error instanceof RequestRefusedError) {
    return { outcome: 'refused', commandId, code: CommandCode.parse(error.code), reason: error.reason };
  }
  if (error instanceof NoResponderError) {
    return { outcome: 'undelivered', commandId, code: 'no-agent', reason: `no agent answers for host '${host}'` };
  }
  if (error instanceof NoGrantError) {
    return { outcome: 'undelivered', commandId, code: 'no-grant', reason: error.reason };
  }
  if (error instanceof PermissionDeniedError) {
    return { outcome: 'undelivered', commandId, code: 'not-allowed', reason: error.message };
  }
  if (error instanceof BusAwayError) {
    const outcome = error.isOutcomeUnknown ? 'unknown' : 'undelivered';
    return { outcome, commandId, code: 'bus-away', reason: error.message };
  }
  if (error instanceof RequestTimeoutError) {
    return { outcome: 'unknown', commandId, code: 'timeout', reason: error.message };
  }
  if (error instanceof BadReplyError) {
    return { outcome: 'unknown', commandId, code: 'unreadable', reason: error.message };
  }
  throw error;
}
