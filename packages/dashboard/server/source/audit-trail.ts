import { rows } from '@muster/contracts';
import { type Outbox, uuidv7 } from '@muster/contracts/bus';
import type { Audit } from './fleet-source.ts';

export interface AuditOptions {
  readonly outbox: Outbox;
  /** This dashboard's id. */
  readonly id: string;
  readonly epoch: number;
}

/** One record for each command: on disk before the person is answered, on the bus when it is there. */
export function auditTrail({ outbox, id, epoch }: AuditOptions): Audit {
  let seq = 0;
  return (verb, target, outcome, actor) => {
    seq += 1;
    const recordId = uuidv7();
    outbox.append(
      rows.dashboardAudit,
      { dashboard: id },
      {
        id: recordId,
        time: new Date().toISOString(),
        source: `dashboard/${id}`,
        epoch,
        seq,
        actor,
        verb,
        target: [target.host, target.service, ...(target.instance === undefined ? [] : [target.instance])].join('/'),
        // A command that was never sent has no id of its own.
        commandId: outcome.commandId ?? recordId,
        accepted: outcome.outcome === 'accepted',
        reason:
          outcome.outcome === 'refused' || outcome.outcome === 'accepted'
            ? outcome.reason
            : `${outcome.outcome}: ${outcome.reason}`,
      },
    );
  };
}
