import { z } from 'zod';
import { Amount, AnyNumber, Count, ShortText } from '../bounds.ts';
import { OrderedEnvelope } from '../envelope.ts';
import { Id } from '../ids.ts';

/** A heartbeat is due this often; it is jittered by a quarter so that a fleet does not beat as one. */
export const PRESENCE_INTERVAL_MS = 2_000;

/** After this many missed heartbeats, counted from the observer's own connection, the sender is `unknown`. */
export const PRESENCE_MISSED_HEARTBEATS = 3;

/** A sender that has not been heard for so long is unknown. Heartbeats are jittered, so the last one may be due a quarter later. */
export const PRESENCE_LIMIT_MS = PRESENCE_INTERVAL_MS * (PRESENCE_MISSED_HEARTBEATS + 0.25);

const Heartbeat = OrderedEnvelope.extend({
  version: ShortText,
  uptimeSeconds: Amount,
  /** How late the sender's event loop was for this heartbeat. */
  eventLoopLagMs: Amount,
});

/** An agent is alive, and which one. Core NATS, every 2 s. */
export const AgentPresence = Heartbeat.extend({
  host: Id,
  /** Random, kept in the agent's state directory. */
  agentId: ShortText,
  /** The kernel's boot id: another one means that every process is new. */
  bootId: ShortText,
  /** Inode of the agent's network namespace: a loopback address means the same only within one. */
  networkNamespace: ShortText,
  /** The agent's monotonic clock. */
  monotonicMs: AnyNumber,
  /** Hash of the KV keys this agent keeps, so that keys nobody owns can be found. */
  keysDigest: ShortText,
  services: Count,
  /** Events that wait on the agent's disk for the bus. */
  backlog: Count,
  /** Which list of revoked keys is in force there; 0 when none is. */
  revocationsVersion: Count.optional(),
});
export type AgentPresence = z.infer<typeof AgentPresence>;

export const ProberPresence = Heartbeat.extend({
  prober: Id,
  targets: Count,
  leading: z.boolean(),
});
export type ProberPresence = z.infer<typeof ProberPresence>;

export const DashboardPresence = Heartbeat.extend({
  dashboard: Id,
  viewers: Count,
});
export type DashboardPresence = z.infer<typeof DashboardPresence>;
