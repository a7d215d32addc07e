import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InstanceEvent, InstanceStatus, Timestamp } from '@muster/contracts';
import { z } from 'zod';

/**
 * What the agent of this machine knows, written into its state directory and replaced atomically, so that `status` and `why`
 * have an answer on the host itself while the bus is away.
 */
const StatusFile = z.object({
  writtenAt: Timestamp,
  host: z.string(),
  agentId: z.string(),
  bus: z.object({ connected: z.boolean() }),
  instances: z.array(InstanceStatus),
  /** Oldest first. */
  recentEvents: z.array(InstanceEvent),
});
export type StatusFile = z.infer<typeof StatusFile>;

function statusFilePath(stateDir: string): string {
  return join(stateDir, 'status.json');
}

/** `undefined` when this machine has no such file, or none that can be read. */
export async function readStatusFile(stateDir: string): Promise<StatusFile | undefined> {
  try {
    const parsed = StatusFile.safeParse(JSON.parse(await readFile(statusFilePath(stateDir), 'utf8')));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}
