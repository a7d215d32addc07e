import { z } from 'zod';
import { Timestamp } from '../envelope.ts';
import { InstanceEvent, InstanceStatus } from './service.ts';

/** Name of the file in the agent's state directory. */
export const STATUS_FILE_NAME = 'status.json';

/**
 * What an agent knows of its own host, as a file that is replaced atomically: `status` and `why` have an answer on the
 * host itself while the bus is away. It never crosses the wire.
 */
export const StatusFile = z.object({
  writtenAt: Timestamp,
  host: z.string(),
  agentId: z.string(),
  /** `reason`: why it counts as away although it may be there. */
  bus: z.object({ connected: z.boolean(), reason: z.string().optional() }),
  instances: z.array(InstanceStatus),
  /** Of all instances, oldest first. */
  recentEvents: z.array(InstanceEvent),
});
export type StatusFile = z.infer<typeof StatusFile>;
