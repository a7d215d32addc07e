import type { Exit } from './exit.ts';

/** A person's wish. `by` names who, for the reason. */
type Command =
  | { readonly type: 'start'; readonly by?: string }
  | { readonly type: 'stop'; readonly by?: string }
  | { readonly type: 'restart'; readonly by?: string }
  /** The operator ends `orphaned` without adopting: whatever lives there is no longer ours. */
  | { readonly type: 'forget'; readonly by?: string };

/** What surrounds the instance. */
type Surroundings =
  /** The whole system stops. There is no way back but a new agent. */
  | { readonly type: 'hold' }
  | { readonly type: 'dependencies-met' }
  | { readonly type: 'dependencies-unmet'; readonly reason: string }
  /** The driver cannot say what runs: its engine is away or missing. Recovery answers follow once it is back. */
  | { readonly type: 'facts-unavailable'; readonly reason: string }
  /** The time of the last `wake-at` has come. */
  | { readonly type: 'deadline' };

/** What the driver found of an earlier run. */
type RecoveryAnswer =
  /** A proven run goes on. `hasStarted`: it was past its startup. Also the outcome of the operator's `adopt`. */
  | {
      readonly type: 'adopted';
      readonly generation: number;
      readonly hasStarted: boolean;
      /** What else is to be said of it, such as that its configuration has changed. */
      readonly note?: string;
    }
  /**
   * The last run ended while nobody looked. May be told again after each start of the agent; `isKnown` when an earlier
   * agent has dealt with that exit.
   */
  | { readonly type: 'exited-while-away'; readonly generation: number; readonly exit: Exit; readonly isKnown?: boolean }
  | { readonly type: 'nothing-found' }
  | { readonly type: 'orphan-found'; readonly reason: string };

/** What happened to one run. Of any generation but the current one it is ignored. */
export type RunEvent =
  | { readonly type: 'spawned'; readonly generation: number; readonly pid: number | null }
  /** Nothing of this generation lives. `isRetryable` false: trying again cannot help. */
  | {
      readonly type: 'start-failed';
      readonly generation: number;
      readonly reason: string;
      readonly isRetryable: boolean;
    }
  | { readonly type: 'startup-passed'; readonly generation: number }
  | { readonly type: 'startup-failed'; readonly generation: number; readonly reason: string }
  | { readonly type: 'ready'; readonly generation: number }
  | { readonly type: 'not-ready'; readonly generation: number; readonly reason: string }
  | { readonly type: 'liveness-failed'; readonly generation: number; readonly reason: string }
  | { readonly type: 'recovery-granted'; readonly generation: number; readonly reason: string }
  | { readonly type: 'recovery-denied'; readonly generation: number; readonly reason: string }
  /** The main process is gone; parts of its tree may live on. `note`: what else is known, such as who holds its port. */
  | { readonly type: 'exited'; readonly generation: number; readonly exit: Exit; readonly note?: string }
  /** No process of the tree is left, its port is free, and no spawn of this generation is under way. */
  | { readonly type: 'tree-gone'; readonly generation: number };

export type Event = Command | Surroundings | RecoveryAnswer | RunEvent;
export type EventType = Event['type'];
export type EventOf<T extends EventType> = Extract<Event, { type: T }>;
