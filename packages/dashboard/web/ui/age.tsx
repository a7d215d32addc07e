import { useSyncExternalStore } from 'react';
import { useClock } from './clock.tsx';
import { formatDuration } from './format.ts';

/** How long ago `atMs` (the server's monotonic clock) was; counts on by itself. */
export function Age({ atMs }: { readonly atMs: number }) {
  const clock = useClock();
  // React draws nothing when the value is the same, so the age counts in whole seconds.
  const seconds = useSyncExternalStore(clock.subscribe, () => Math.max(0, Math.floor((clock.nowMs() - atMs) / 1_000)));
  return <span className="age">{formatDuration(seconds * 1_000)}</span>;
}
