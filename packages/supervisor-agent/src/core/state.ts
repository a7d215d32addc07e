/**
 * Where one instance is in its life. The name is the fact; `persisted` is what outlives it, the intent included.
 * Times are monotonic milliseconds of this boot.
 */
import { EMPTY_TRACKER, type RestartTracker } from './restart-tracker.ts';

/** Plain data: save it whenever it changes, and give it back through `initialState` after the agent's restart. */
export interface PersistedState {
  /** What somebody wants; apart from what is. */
  readonly desired: 'up' | 'down';
  /** The whole system is being stopped: nothing starts, and `desired` is left as it is. Never restored. */
  readonly isHeld: boolean;
  /** The last run's number; 0 before the first. Only ever grows. */
  readonly generation: number;
  /** The last run when the whole system was stopped: how it ended is held against nobody. */
  readonly heldGeneration: number;
  /** The last run that somebody asked to restart: its end is a wish, also when the agent dies before it has come. */
  readonly restartGeneration: number;
  readonly tracker: RestartTracker;
  /**
   * Why it failed, until it is lived down. It is set on entering `failed` and survives the slow retry: a run with a
   * persisted failure is *on probation* (its alert goes on, and its next exit fails it again without fast
   * restarts). Ten good minutes, a person's command or a job's completion end it.
   */
  readonly failure: string | null;
  /** Why it may not start now; `null` = every dependency is met. Never stops what runs. */
  readonly unmetReason: string | null;
}

/** Waits for its dependencies. */
export interface Pending {
  readonly name: 'pending';
  readonly persisted: PersistedState;
  /** An automatic restart is owed, not before this time; `null` = the start is a first or a manual one. */
  readonly restartAtMs: number | null;
}

export interface Starting {
  readonly name: 'starting';
  readonly persisted: PersistedState;
  /** False while the driver is still at it. */
  readonly isSpawned: boolean;
  readonly startupDeadlineMs: number;
}

export interface Running {
  readonly name: 'running';
  readonly persisted: PersistedState;
  /** `unknown`: nobody has judged it yet, or, for a job, nobody will. */
  readonly ready: 'yes' | 'no' | 'unknown';
  /** When the run will have been good for long enough; `null` = nothing to live down, or not good now. */
  readonly goodAtMs: number | null;
  /** Permission to restart for health has been asked and not yet answered. */
  readonly isAskingRecovery: boolean;
}

/** An automatic restart will follow. */
export interface InBackoff {
  readonly name: 'backoff';
  readonly persisted: PersistedState;
  readonly untilMs: number;
}

/** What follows once the tree is gone, provided that it is still wanted up. */
export type AfterStop =
  | { readonly kind: 'start' }
  | { readonly kind: 'restart'; readonly atMs: number; readonly reason: string }
  | { readonly kind: 'fail'; readonly reason: string };

export interface Stopping {
  readonly name: 'stopping';
  readonly persisted: PersistedState;
  readonly killAtMs: number;
  /** How often SIGKILL has been sent. */
  readonly kills: number;
  readonly after: AfterStop;
}

/** Nothing runs because nobody wants it to, or because the system is held. */
export interface Stopped {
  readonly name: 'stopped';
  readonly persisted: PersistedState;
}

export interface Completed {
  readonly name: 'completed';
  readonly persisted: PersistedState;
}

/** Its budget is spent, or restarting cannot help. The reason is `persisted.failure`. */
export interface Failed {
  readonly name: 'failed';
  readonly persisted: PersistedState;
  /** The slow retry; `null` = only a person starts it again. */
  readonly retryAtMs: number | null;
}

/** Something lives that may be ours but cannot be proven: touch nothing, start nothing. */
export interface Orphaned {
  readonly name: 'orphaned';
  readonly persisted: PersistedState;
  readonly reason: string;
}

/** The facts are not known: the agent has just started, or the engine is away. */
export interface Unknown {
  readonly name: 'unknown';
  readonly persisted: PersistedState;
  readonly reason: string;
}

export type State =
  | Pending
  | Starting
  | Running
  | InBackoff
  | Stopping
  | Stopped
  | Completed
  | Failed
  | Orphaned
  | Unknown;
export type StateName = State['name'];
export type StateOf<N extends StateName> = Extract<State, { name: N }>;

/** What an instance remembers that has never run. */
export const NEVER_RUN: PersistedState = {
  desired: 'up',
  isHeld: false,
  generation: 0,
  heldGeneration: 0,
  restartGeneration: 0,
  tracker: EMPTY_TRACKER,
  failure: null,
  unmetReason: 'dependencies have not been looked at yet',
};

/** Every instance begins here; the driver's recovery answer (`nothing-found`, `adopted` …) leads on. */
export function initialState(saved: Partial<PersistedState> = {}): Unknown {
  return {
    name: 'unknown',
    persisted: { ...NEVER_RUN, ...saved, isHeld: false },
    reason: 'not looked for yet',
  };
}

/** The one time at which the instance wants a `deadline` event; `null` = none. */
export function deadlineOf(state: State): number | null {
  switch (state.name) {
    case 'starting':
      return state.startupDeadlineMs;
    case 'running':
      return state.goodAtMs;
    case 'backoff':
      return state.untilMs;
    case 'stopping':
      return state.killAtMs;
    case 'failed':
      return state.retryAtMs;
    case 'pending':
    case 'stopped':
    case 'completed':
    case 'orphaned':
    case 'unknown':
      return null;
  }
}

export function wantsUp(persisted: PersistedState): boolean {
  return persisted.desired === 'up' && !persisted.isHeld;
}
