import type { CommandCode } from '@muster/contracts';
import type { Action, WhyAnswer } from '../protocol/page.ts';
import type { Fact } from '../view/fleet.ts';

/** Which service, or which one copy of it, on which host. */
export interface Target {
  readonly host: string;
  readonly service: string;
  readonly instance?: number | undefined;
}

/** What became of a command. `unknown`: it was sent, and no answer came; it may have acted. */
export type CommandOutcome =
  | { readonly outcome: 'accepted'; readonly commandId: string; readonly code: CommandCode; readonly reason: string }
  | { readonly outcome: 'refused'; readonly commandId: string; readonly code: CommandCode; readonly reason: string }
  | { readonly outcome: 'undelivered'; readonly commandId?: string; readonly reason: string }
  | { readonly outcome: 'unknown'; readonly commandId: string; readonly reason: string };

/** Writes down who asked for what and what became of it. */
export type Audit = (verb: string, target: Target, outcome: CommandOutcome, actor: string) => void;

export type WhyOutcome =
  | WhyAnswer
  | { readonly from: 'nobody'; readonly code: 'not-found' | 'undelivered'; readonly reason: string };

/** Where the fleet's facts come from and where commands go. */
export interface FleetSource {
  /** Tells everything it learns from now on, what is already stored included. Never throws; reconnects by itself. */
  follow(learn: (fact: Fact) => void): void;
  /** `actor` is who asks, for the agents' audit. Never rejects for what a bus or an agent can do: that is an outcome. */
  command(action: Action, target: Target, actor: string): Promise<CommandOutcome>;
  /** The chain of recent events of one instance, newest first. */
  why(target: Target, actor: string): Promise<WhyOutcome>;
}
