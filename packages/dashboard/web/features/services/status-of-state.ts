import type { RowStatus, ServiceRow } from '../../../server/protocol/index.ts';

/** The chip tells the state alone: a service that runs and is unhealthy runs, and its health cell says the rest. */
export function statusOfState({ state, status }: Pick<ServiceRow, 'state' | 'status'>): RowStatus {
  return state === 'running' ? 'good' : status;
}
