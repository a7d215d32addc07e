import type { ValueOf } from './buckets.ts';
import type { AgentPresence, DashboardPresence, ProberPresence } from './messages/presence.ts';

/** The buckets that tell of the fleet; their keys begin with the host. */
export const FLEET_BUCKETS = ['specs', 'status', 'health', 'alerts'] as const;
export type FleetBucket = (typeof FLEET_BUCKETS)[number];

type BucketChange = {
  [B in FleetBucket]:
    | {
        readonly kind: 'listed';
        readonly bucket: B;
        readonly entries: ReadonlyMap<string, ValueOf<B>>;
        /** What there was before, and is no more. */
        readonly gone?: readonly string[];
      }
    | { readonly kind: 'entry'; readonly bucket: B; readonly key: string; readonly value: ValueOf<B> | undefined };
}[FleetBucket];

/**
 * One thing that a follower of the fleet learns. `listed` is all that a bucket holds, whatever was known of it before; `entry` is
 * one change, a deletion when `value` is undefined.
 */
export type FleetChange =
  | BucketChange
  /** The host has more entries than are taken of one: so many times one was not. */
  | { readonly kind: 'excess'; readonly bucket: FleetBucket; readonly host: string; readonly notTaken: number }
  /** `before`: the last one that was taken. */
  | { readonly kind: 'host-presence'; readonly heartbeat: AgentPresence; readonly before?: AgentPresence | undefined }
  | { readonly kind: 'prober-presence'; readonly heartbeat: ProberPresence }
  | { readonly kind: 'dashboard-presence'; readonly heartbeat: DashboardPresence }
  /** It was taken away: nothing of it is stored any more. */
  | { readonly kind: 'host-forgotten'; readonly host: string }
  /** The follower itself has slept: what was sent meanwhile it has not read yet. */
  | { readonly kind: 'overslept' };
