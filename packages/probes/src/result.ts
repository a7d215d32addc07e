import type { ProbePhases, ProbeReason } from '@muster/contracts';

/** What was measured, whatever came of it. */
interface Measured {
  readonly durationMs: number;
  /** Where the time went. The phase in which a probe failed has the time until it failed; later ones are 0. */
  readonly phases: ProbePhases;
  /** The status that came, if one came. */
  readonly httpStatus?: number;
}

/** Why a probe ended without success, and whether the target is to blame. */
export interface Explanation {
  readonly status: 'down' | 'unknown';
  readonly reason: ProbeReason;
  /** For people: what was expected and what came. */
  readonly detail: string;
}

/**
 * One look at a target. `down` blames the target; `unknown` says nothing about it, because the probe itself could not be
 * done (given up by its caller, no file descriptors left, an address that is none).
 */
export type ProbeResult = Measured & ({ readonly status: 'up' } | Explanation);

/**
 * One protocol. The deadline is the caller's: abort `signal` to give up, with `AbortSignal.timeout` for a timeout (the
 * target's fault) and any other reason for the caller's own change of mind. Never rejects.
 */
export type ProbeFn<T> = (target: T, signal: AbortSignal) => Promise<ProbeResult>;
