import type { Bus } from '@muster/contracts/bus';
import { type CommandResult, FleetCommands, type NoAnswer } from '@muster/contracts/client';

/** An agent on a busy machine answers within this; a silent one must not keep people waiting. */
export const ANSWER_TIMEOUT_MS = 2_000;

/** The way to ask agents. `actor` is who asks, for the audit. */
export function askAgents(bus: Bus, actor: string, timeoutMs = ANSWER_TIMEOUT_MS): FleetCommands {
  return new FleetCommands({ bus, actor, timeoutMs });
}

const PROBLEMS: Readonly<Record<NoAnswer, string>> = {
  'no-agent': 'its agent is not on the bus',
  'no-grant': "these credentials hold no grant that counts: run 'muster bus keys' where the keys of the bus are",
  'not-allowed': 'these credentials may not ask its agent',
  'bus-away': 'the bus is away',
  timeout: `its agent has not answered within ${ANSWER_TIMEOUT_MS / 1_000} s`,
  unreadable:
    'its agent gave an answer that is not signed or not readable: are its version and its credentials up to date?',
};

/** Why an agent did not do what it was asked, to be said after the name of what it is about. */
export function problemOf(result: Exclude<CommandResult, { outcome: 'accepted' }>): string {
  return result.outcome === 'refused' ? `its agent refused: ${result.reason}` : PROBLEMS[result.code];
}
