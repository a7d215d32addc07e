import type { InstanceStateName, Readiness, VerdictName } from '@muster/contracts';
import type { Mood } from '../protocol/page.ts';

/** Worst first. */
const MOODS: readonly Mood[] = ['bad', 'unknown', 'warn', 'busy', 'good', 'idle'];

export function worstMood(moods: Iterable<Mood>): Mood | undefined {
  const seen = new Set(moods);
  return MOODS.find((mood) => seen.has(mood));
}

const MOOD_OF_STATE: Readonly<Record<InstanceStateName, Mood>> = {
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

const MOOD_OF_VERDICT: Readonly<Record<VerdictName, Mood>> = {
  unhealthy: 'bad',
  partial: 'warn',
  degraded: 'warn',
  unknown: 'good',
  healthy: 'good',
};

/** Readiness and health count only while it runs: of a stopped service nothing else is expected. */
export function moodOf(state: InstanceStateName, ready: Readiness, verdict: VerdictName | undefined): Mood {
  if (state !== 'running') return MOOD_OF_STATE[state];
  return worstMood([MOOD_OF_VERDICT[verdict ?? 'unknown'], ready === 'no' ? 'warn' : 'good']) ?? 'good';
}
