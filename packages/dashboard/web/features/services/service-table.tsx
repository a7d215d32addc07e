import type { Action } from '../../../server/protocol/index.ts';
import type { KeyedRow } from '../../state/select.ts';
import { ServiceLine } from './service-line.tsx';

interface Props {
  readonly label: string;
  readonly rows: readonly KeyedRow[];
  readonly pending: Readonly<Record<string, Action>>;
  /** Absent where nothing can be asked. */
  readonly act?: (keyed: KeyedRow, action: Action) => void;
}

/** Explicit roles: on a small screen the rows are laid out as cards, which would otherwise cost them their table semantics. */
export function ServiceTable({ label, rows, pending, act }: Props) {
  return (
    <div className="panel table-panel">
      <table className="services" role="table" aria-label={label}>
        <thead role="rowgroup">
          <tr role="row">
            <th role="columnheader" scope="col" className="col-name">
              Service
            </th>
            <th role="columnheader" scope="col" className="col-state">
              State
            </th>
            <th role="columnheader" scope="col" className="col-health">
              Health
            </th>
            <th role="columnheader" scope="col" className="col-reason">
              Reason
            </th>
            <th role="columnheader" scope="col" className="col-number">
              Restarts
            </th>
            <th role="columnheader" scope="col" className="col-number">
              CPU
            </th>
            <th role="columnheader" scope="col" className="col-number">
              Memory
            </th>
            <th role="columnheader" scope="col" className="col-latency">
              Latency
            </th>
            <th role="columnheader" scope="col" className="col-actions">
              {act === undefined ? <span className="visually-hidden">No actions</span> : 'Actions'}
            </th>
          </tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map((keyed) => (
            <ServiceLine
              key={keyed.key}
              keyed={keyed}
              {...(pending[keyed.key] !== undefined && { running: pending[keyed.key] })}
              {...(act !== undefined && { act })}
            />
          ))}
        </tbody>
      </table>
    </div>
  );
}
