import type { ServiceSpec } from '@muster/contracts/config';
import { DEFAULT_POLICY, type Policy } from '../../core/policy.ts';
import { restartPolicy } from '../../core/restart-tracker.ts';

/** What the core needs to know of a configured service. */
export function policyOf(spec: ServiceSpec, isSystem: boolean): Policy {
  const { startup, readiness } = spec.probes;
  const restart = restartPolicy({
    maxRestarts: spec.maxRestarts,
    ...(spec.restartDelayMs !== undefined && { restartDelayMs: spec.restartDelayMs }),
  });
  return {
    ...DEFAULT_POLICY,
    kind: spec.job ? 'job' : 'service',
    isSystem,
    autoRestart: spec.autoRestart,
    // All the others need Muster's own: they are never left away for longer than once their budget is spent.
    restart: isSystem ? { ...restart, backoff: { ...restart.backoff, capMs: DEFAULT_POLICY.systemRetryMs } } : restart,
    hasStartupProbe: startup !== undefined,
    hasReadinessProbe: readiness !== undefined,
    startupTimeoutMs: startup === undefined ? DEFAULT_POLICY.startupTimeoutMs : startupTimeoutMs(startup),
    stopSignal: spec.stopSignal,
    stopTimeoutMs: spec.stopTimeoutMs,
    slowRetryMs: spec.slowRetry ? DEFAULT_POLICY.slowRetryMs : null,
  };
}

/** The startup probe gives up by itself; the core's own deadline is the net below it, so it comes a little later. */
function startupTimeoutMs(startup: NonNullable<ServiceSpec['probes']['startup']>): number {
  return startup.initialDelayMs + startup.periodMs * startup.failureThreshold + 2 * startup.timeoutMs + 5_000;
}
