import { type ReactNode, useId, useState } from 'react';
import type { Action, ServiceRow } from '../../../server/protocol/index.ts';
import type { KeyedRow } from '../../state/select.ts';
import { Age } from '../../ui/age.tsx';
import { formatBytes, formatLatency, formatRatio } from '../../ui/format.ts';
import { Icon } from '../../ui/icon.tsx';
import { None } from '../../ui/none.tsx';
import { Sparkline } from '../../ui/sparkline.tsx';
import { ActionButtons } from './action-buttons.tsx';
import { HealthCell } from './health-cell.tsx';
import { StateChip } from './state-chip.tsx';
import { WhyChain } from './why-chain.tsx';

const COLUMNS = 9;

interface Props {
  readonly keyed: KeyedRow;
  readonly running?: Action | undefined;
  readonly act?: (keyed: KeyedRow, action: Action) => void;
}

export function ServiceLine({ keyed, running, act }: Props) {
  const [isOpen, setOpen] = useState(false);
  const detailId = useId();
  const { row } = keyed;
  return (
    <>
      <tr
        role="row"
        className={`service status-${row.status}`}
        data-service={row.service}
        data-host={row.host}
        data-state={row.state}
      >
        <th role="rowheader" scope="row" className="cell-name">
          <button
            type="button"
            className="expander"
            aria-label={`${row.service}: why?`}
            aria-expanded={isOpen}
            aria-controls={detailId}
            onClick={() => setOpen(!isOpen)}
          >
            <Icon name="chevron" />
            <span className="name">
              {row.service}
              {row.instance > 0 && <span className="instance">#{row.instance}</span>}
            </span>
          </button>
          <span className="sub">
            {[
              row.host,
              row.type === 'unknown' ? undefined : row.type,
              row.port === undefined ? undefined : `:${row.port}`,
            ]
              .filter(Boolean)
              .join(' · ')}
          </span>
        </th>
        <Cell label="State" className="cell-state">
          <StateChip row={row} />
        </Cell>
        <Cell label="Health" className="cell-health">
          <HealthCell row={row} />
        </Cell>
        <Cell label="Reason" className="cell-reason">
          <span className="reason" title={reasonOf(row)}>
            {row.isConfirmed ? reasonOf(row) : <Doubt row={row} />}
          </span>
        </Cell>
        <Cell label="Restarts" className="cell-number">
          <span className={row.restarts > 0 ? 'number number-notable' : 'number'}>{row.restarts}</span>
          <span className="of"> / {row.restartBudget}</span>
        </Cell>
        <Cell label="CPU" className="cell-number">
          {row.cpuRatio === undefined ? <None /> : <span className="number">{formatRatio(row.cpuRatio)}</span>}
        </Cell>
        <Cell label="Memory" className="cell-number">
          {row.rssBytes === undefined ? <None /> : <span className="number">{formatBytes(row.rssBytes)}</span>}
        </Cell>
        <Cell label="Latency" className="cell-latency">
          <div className="latency">
            {row.latencyHistory !== undefined && row.latencyHistory.length > 1 && (
              <Sparkline values={row.latencyHistory} />
            )}
            {row.latencyMs === undefined ? <None /> : <span className="number">{formatLatency(row.latencyMs)}</span>}
          </div>
        </Cell>
        <Cell label="Actions" className="cell-actions">
          {act !== undefined && <ActionButtons row={row} running={running} act={(action) => act(keyed, action)} />}
        </Cell>
      </tr>
      <tr role="row" id={detailId} className="detail" hidden={!isOpen}>
        <td role="cell" colSpan={COLUMNS}>
          {isOpen && <WhyChain row={row} />}
        </td>
      </tr>
    </>
  );
}

function Cell({
  label,
  className,
  children,
}: {
  readonly label: string;
  readonly className: string;
  readonly children: ReactNode;
}) {
  return (
    <td role="cell" className={className} data-label={label}>
      {children}
    </td>
  );
}

/** The reason that the row shows. When a service runs and is ill, what the probers say matters more than how its run began. */
function reasonOf({ reason, status, state, health }: ServiceRow): string {
  const isIll =
    state === 'running' &&
    health !== undefined &&
    status !== 'good' &&
    health.verdict !== 'healthy' &&
    health.verdict !== 'unknown';
  return isIll ? health.reason : reason;
}

/** Shown when nobody confirms the state: the last one that was known, and its age. */
function Doubt({ row }: { readonly row: ServiceRow }) {
  return (
    <>
      Was {row.lastState}
      {row.lastHeardAtMs === undefined ? (
        '; its host has not been heard yet'
      ) : (
        <>
          , last confirmed <Age atMs={row.lastHeardAtMs} /> ago
        </>
      )}
    </>
  );
}
