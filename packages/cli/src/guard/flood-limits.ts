import type { FlowLimit } from '@muster/contracts/bus';

const KIB = 1024;
const MIB = 1024 * KIB;

/** Of one identity, over all of its connections. */
export interface BroughtLimits {
  readonly bytes: FlowLimit;
  readonly messages: FlowLimit;
  /** Into one stream or bucket. */
  readonly stored: FlowLimit;
}

/**
 * What no program of Muster brings. An agent sends some 650 bytes a second and its services' logs, at most 64 KiB a second of each
 * before they are packed, and a message a second: 6.3 MiB of 100 services. After an outage 64 MiB of events wait, some 110,000 of
 * them, and of each service a burst of 1 MiB, which packs to a quarter: less than the burst, even if all came in no time. A
 * stream has room for the rest, see FLOOD_HEADROOM_BYTES.
 */
export interface FloodLimits extends BroughtLimits {
  readonly openings: FlowLimit;
  /** Connections at once; a program has one or two. */
  readonly maxOpen: number;
  /** Of one host: how much a service may send is for the operator to say. */
  readonly storedLogs: FlowLimit;
  /** Of an observer or a monitor, which is a tool that measures, and keeps nothing for later. */
  readonly small: BroughtLimits;
  /** Messages of those who read the store, and could take the bus from everybody without a flood. */
  readonly readersMessages: FlowLimit;
}

export const FLOOD_LIMITS: FloodLimits = {
  bytes: { burst: 128 * MIB, perSecond: 16 * MIB },
  messages: { burst: 150_000, perSecond: 1_000 },
  openings: { burst: 200, perSecond: 1 },
  maxOpen: 32,
  stored: { burst: 128 * MIB, perSecond: 64 * KIB },
  storedLogs: { burst: 256 * MIB, perSecond: 8 * MIB },
  small: {
    bytes: { burst: 64 * MIB, perSecond: 256 * KIB },
    messages: { burst: 10_000, perSecond: 50 },
    stored: { burst: 32 * MIB, perSecond: 16 * KIB },
  },
  readersMessages: { burst: 400_000, perSecond: 10_000 },
};
