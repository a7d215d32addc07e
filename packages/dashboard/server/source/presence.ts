import { rows } from '@muster/contracts';
import { type Bus, startHeartbeat, uuidv7 } from '@muster/contracts/bus';

export interface PresenceOptions {
  readonly bus: Bus;
  readonly version: string;
  readonly epoch: number;
  readonly viewers: () => number;
}

/** Says that this dashboard lives. Until disposed. */
export function publishPresence({ bus, version, epoch, viewers }: PresenceOptions): Disposable {
  const { id: dashboard } = bus;
  let seq = 0;
  return startHeartbeat((pulse) => {
    seq += 1;
    const stamp = { id: uuidv7(), time: new Date().toISOString(), source: `dashboard/${dashboard}`, epoch, seq };
    bus.publish(rows.dashboardPresence, { dashboard }, { ...stamp, version, dashboard, viewers: viewers(), ...pulse });
  });
}
