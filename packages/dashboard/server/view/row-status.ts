import type { InstanceStateName, Readiness, VerdictName } from '@muster/contracts';
import type { RowStatus } from '../protocol/page.ts';

/** Worst first. */
const STATUSES: readonly RowStatus[] = ['bad', 'unknown', 'warn', 'busy', 'good', 'idle'];

export function worstStatus(statuses: Iterable<RowStatus>): RowStatus | undefined {
  const seen = new Set(statuses);
  return STATUSES.find((status) => seen.has(status));
}

const STATUS_OF_STATE: Readonly<Record<InstanceStateName, RowStatus>> = {
  failed: 'bad',
  orphaned: 'bad',
  unknown: 'unknown',
  backoff: 'warn',
  starting: 'busy',
  stopping: 'busy',
  pending: 'busy',
  running: 'good',
  completed: 'idle',
  stopped: 'idle',
};

const STATUS_OF_VERDICT: Readonly<Record<VerdictName, RowStatus>> = {
  unhealthy: 'bad',
  partial: 'warn',
  degraded: 'warn',
  unknown: 'good',
  healthy: 'good',
};

/** Readiness and health count only while it runs: of a stopped service nothing else is expected. */
export function statusOf(state: InstanceStateName, ready: Readiness, verdict: VerdictName | undefined): RowStatus {
  if (state !== 'running') return STATUS_OF_STATE[state];
  return worstStatus([STATUS_OF_VERDICT[verdict ?? 'unknown'], ready === 'no' ? 'warn' : 'good']) ?? 'good';
}
