import type { Bus } from '../bus/bus.ts';
import { comparePositions, type Position } from '../envelope.ts';
import type { AgentVerb } from '../messages/command.ts';
import type { InstanceEvent, InstanceRef, InstanceStatus } from '../messages/service.ts';
import { rows } from '../rows.ts';
import { type CommandArguments, type CommandResult, type CommandSender, sendCommand } from './commanding.ts';

export interface FleetCommandsOptions {
  readonly bus: Bus;
  /** Who asks, for the audit: a person or a program. */
  readonly actor: string;
  /** How long an agent may take to answer; default 5 s. */
  readonly timeoutMs?: number;
  /** Where a host's agent stood when it was heard lately; `undefined` when it was not. */
  readonly positionOf: (host: string) => Position | undefined;
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
  readonly #sender: CommandSender;
  readonly #positionOf: FleetCommandsOptions['positionOf'];

  constructor({ bus, actor, timeoutMs = TIMEOUT_MS, positionOf }: FleetCommandsOptions) {
    this.#sender = { bus, actor, timeoutMs };
    this.#positionOf = positionOf;
  }

  /** Asks an agent to act. It quotes where the agent stood when it was last heard, or else its answer to `status`. */
  async command<V extends AgentVerb>(
    host: string,
    verb: V,
    args: CommandArguments<V>,
    signal?: AbortSignal,
  ): Promise<CommandResult<V>> {
    const fresh = this.#positionOf(host);
    if (fresh !== undefined) {
      const result = await sendCommand(this.#sender, host, verb, args, { fresh, signal });
      // An agent that has just restarted refuses a heartbeat of before. It did not act, so asking again is safe.
      if (result.outcome !== 'refused' || result.code !== 'stale') return result;
    }
    const status = await this.status(host, signal);
    // Nothing has acted yet, so even an answer that never came leaves the command certainly undone.
    if (status.outcome === 'unknown') return { ...status, outcome: 'undelivered' };
    if (status.outcome !== 'accepted') return status;
    return sendCommand(this.#sender, host, verb, args, { fresh: status.reply, signal });
  }

  /** Asks what changes nothing that an agent's position could be too old for. */
  ask<V extends AgentVerb>(
    host: string,
    verb: V,
    args: CommandArguments<V>,
    signal?: AbortSignal,
  ): Promise<CommandResult<V>> {
    return sendCommand(this.#sender, host, verb, args, { signal });
  }

  /** What an agent says of its services now, and where it stands. */
  status(host: string, signal?: AbortSignal): Promise<CommandResult<'status'>> {
    return this.ask(host, 'status', {}, signal);
  }

  /** What became of the command `of` that went to this host. `unknown`: its agent has never seen it. */
  outcome(host: string, of: string, signal?: AbortSignal): Promise<CommandResult<'outcome'>> {
    return this.ask(host, 'outcome', { of }, signal);
  }

  /**
   * Why an instance is as it is: from its agent, or from the stream when the agent does not answer. An instance that
   * nobody knows has no status and no events. @throws what reading the stream throws
   */
  async chain({ host, service, instance }: InstanceRef, signal?: AbortSignal): Promise<Chain> {
    const told = await this.ask(host, 'why', { service, instance }, signal);
    if (told.outcome === 'accepted') {
      const { status, events } = told.reply;
      return { source: 'agent', status, events: [...events].sort(comparePositions) };
    }
    const stored = await this.#sender.bus.history(
      rows.instanceEvent,
      { host, service, instance },
      { last: CHAIN_EVENTS, ...(signal && { signal }) },
    );
    return { source: 'stream', status: undefined, events: stored.map(({ message }) => message) };
  }
}
