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

/** Kind, which the style sheet knows, and title; the actions come after them. */
const COLUMNS = [
  ['name', 'Service'],
  ['state', 'State'],
  ['health', 'Health'],
  ['reason', 'Reason'],
  ['number', 'Restarts'],
  ['number', 'CPU'],
  ['number', 'Memory'],
  ['latency', 'Latency'],
] as const;

/** The roles are written out because a small screen shows the rows as cards, and a browser then no longer takes them for a table. */
export function ServiceTable({ label, rows, pending, act }: Props) {
  return (
    <div className="panel table-panel">
      <table className="services" role="table" aria-label={label}>
        <thead role="rowgroup">
          <tr role="row">
            {COLUMNS.map(([kind, title]) => (
              <th key={title} role="columnheader" scope="col" className={`col-${kind}`}>
                {title}
              </th>
            ))}
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
