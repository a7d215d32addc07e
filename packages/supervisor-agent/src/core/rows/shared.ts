/** Cells that several rows share. A row still names every event: a missing one does not compile. */
import { type Row, remember, stay } from '../handler.ts';
import type { State, StateName } from '../state.ts';
import { orphaned, unknown } from '../transitions.ts';

const noRun = (state: State) => stay(state, 'too late: nothing of this run is left');

/** For states without a run: whatever is still said about the last one changes nothing. */
export const withoutRun = {
  spawned: noRun,
  'start-failed': noRun,
  'startup-passed': noRun,
  'startup-failed': noRun,
  ready: noRun,
  'not-ready': noRun,
  'liveness-failed': noRun,
  'recovery-granted': noRun,
  'recovery-denied': noRun,
  exited: noRun,
  'tree-gone': noRun,
} satisfies Partial<Row<StateName>>;

const known = (state: State) => stay(state, 'nothing to recover: the facts are known');

/** For states whose facts are known: answers of a recovery that is over. */
export const afterRecovery = {
  adopted: known,
  'exited-while-away': known,
  'nothing-found': known,
} satisfies Partial<Row<StateName>>;

/** For states in which dependencies decide nothing now, but may later. */
export const notesDependencies = {
  'dependencies-met': (state: State) => remember(state, { unmetReason: null }, 'dependencies are met'),
  'dependencies-unmet': (state: State, { reason }: { readonly reason: string }) =>
    remember(state, { unmetReason: reason }, reason),
} satisfies Partial<Row<StateName>>;

export const notOrphaned = (state: State) => stay(state, `cannot forget what is ${state.name}, only what is orphaned`);

export const noDeadline = (state: State) => stay(state, 'no deadline is set');

export const toOrphaned = (state: State, { reason }: { readonly reason: string }) => orphaned(state, reason);

export const toUnknown = (state: State, { reason }: { readonly reason: string }) => unknown(state, reason);
