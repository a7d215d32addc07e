import { type RestartPolicy, restartPolicy } from './restart-tracker.ts';

/** What the configuration says about one service's life. It may change between two steps. */
export interface Policy {
  /** A job is meant to end: exit code 0 completes it, and only a failure restarts it. */
  readonly kind: 'service' | 'job';
  /** Part of Muster itself: never `failed`; with its budget spent it is tried again every `systemRetryMs`. */
  readonly isSystem: boolean;
  /** False: whatever ends stays ended. */
  readonly autoRestart: boolean;
  readonly restart: RestartPolicy;
  /** Spawned is not started: `startup-passed` (or `ready`) is awaited. */
  readonly hasStartupProbe: boolean;
  /** Somebody will say `ready` or `not-ready`; without it a started service is ready. */
  readonly hasReadinessProbe: boolean;
  /** From the spawn to started. Beyond it the start has failed. */
  readonly startupTimeoutMs: number;
  readonly stopSignal: string;
  /** From the stop signal to SIGKILL. */
  readonly stopTimeoutMs: number;
  /** SIGKILL is repeated this often while the tree is not gone. */
  readonly killRepeatMs: number;
  /** Time between the tries of a failed instance; `null` = none. */
  readonly slowRetryMs: number | null;
  readonly systemRetryMs: number;
  /** Running this long without trouble clears the restart tracker and ends a failure. */
  readonly goodRunMs: number;
}

export const DEFAULT_POLICY: Policy = {
  kind: 'service',
  isSystem: false,
  autoRestart: true,
  restart: restartPolicy(),
  hasStartupProbe: false,
  hasReadinessProbe: false,
  startupTimeoutMs: 60_000,
  stopSignal: 'SIGTERM',
  stopTimeoutMs: 10_000,
  killRepeatMs: 1_000,
  slowRetryMs: 10 * 60_000,
  systemRetryMs: 5_000,
  goodRunMs: 10 * 60_000,
};
