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
import type { Position } from '../envelope.ts';
import { type AGENT_VERBS, type AgentReply, type AgentVerb, CommandCode } from '../messages/command.ts';
import { commands, type RequestRow } from '../rows.ts';

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

export interface CommandSender {
  readonly bus: Bus;
  readonly actor: string;
  /** How long an agent may take to answer. */
  readonly timeoutMs: number;
  /** For whom a dashboard asks: see `Bus.vouchFor`. */
  readonly person?: string;
}

/**
 * Asks an agent. `fresh` is where it stood when its state was last seen; an agent refuses what quotes an old state.
 * Never rejects for what a bus or an agent can do: that is an outcome.
 */
export async function sendCommand<V extends AgentVerb>(
  { bus, actor, timeoutMs, person }: CommandSender,
  host: string,
  verb: V,
  args: CommandArguments<V>,
  options: { readonly fresh?: Position | undefined; readonly signal?: AbortSignal | undefined } = {},
): Promise<CommandResult<V>> {
  const { fresh, signal } = options;
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
    const asked = bus.request(row, { host }, request, {
      timeoutMs,
      ...(signal && { signal }),
      ...(person !== undefined && { person }),
    });
    const reply = (await asked) as AgentReply<V>;
    const { accepted, code, reason } = reply;
    return accepted ? { outcome: 'accepted', commandId, reply } : { outcome: 'refused', commandId, code, reason };
  } catch (error) {
    return failureOf(error, commandId, host);
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
