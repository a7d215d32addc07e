import type { RowStatus, ServiceRow } from '../../../server/protocol/index.ts';

/** The chip shows the state alone. A service that is unhealthy still runs, and its health cell says that it is ill. */
export function statusOfState({ state, status }: Pick<ServiceRow, 'state' | 'status'>): RowStatus {
  return state === 'running' ? 'good' : status;
}
