import type { StatusFile } from '@muster/contracts';
import type { Bus } from '@muster/contracts/bus';
import type { Hide } from '../secrets.ts';
import type { Reporter } from './reporter.ts';

/** What the host itself can be asked while the bus is away. */
export function statusContent(of: {
  readonly host: string;
  readonly agentId: string;
  readonly bus: Pick<Bus, 'isConnected'>;
  /** Why nothing is said although there is a connection. */
  readonly reason: string | undefined;
  readonly reporter: Pick<Reporter, 'statuses' | 'allRecentEvents'>;
  readonly hide: Hide;
}): StatusFile {
  const { host, agentId, bus, reason, reporter, hide } = of;
  return {
    writtenAt: new Date().toISOString(),
    host,
    agentId,
    bus: { connected: bus.isConnected, ...(reason !== undefined && { reason: hide(reason) }) },
    instances: reporter.statuses(),
    recentEvents: reporter.allRecentEvents(),
  };
}
