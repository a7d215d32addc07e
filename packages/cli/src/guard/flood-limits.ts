import type { FlowLimit } from '@muster/contracts/bus';

const KIB = 1024;
const MIB = 1024 * KIB;

/**
 * What no program of Muster brings. An agent sends some 650 bytes a second and its services' logs, at most 64 KiB a second of each
 * before they are packed: 6.3 MiB of 100 services. After an outage 64 MiB of events wait, and of each service a burst of 1 MiB,
 * which packs to a quarter: less than the burst, even if all came in no time. A stream has room for the rest, see
 * FLOOD_HEADROOM_BYTES.
 */
export interface FloodLimits {
  /** Of one identity, over all of its connections. */
  readonly bytes: FlowLimit;
  readonly messages: FlowLimit;
  readonly openings: FlowLimit;
  /** Connections at once; a program has one or two. */
  readonly maxOpen: number;
  /** Of one host, into one stream or bucket. */
  readonly stored: FlowLimit;
  /** The same for logs: how much a service may send is for the operator to say. */
  readonly storedLogs: FlowLimit;
}

export const FLOOD_LIMITS: FloodLimits = {
  bytes: { burst: 128 * MIB, perSecond: 16 * MIB },
  messages: { burst: 400_000, perSecond: 10_000 },
  openings: { burst: 200, perSecond: 1 },
  maxOpen: 32,
  stored: { burst: 128 * MIB, perSecond: 64 * KIB },
  storedLogs: { burst: 256 * MIB, perSecond: 8 * MIB },
};
