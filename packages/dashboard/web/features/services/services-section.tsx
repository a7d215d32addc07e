import { useRef, useState } from 'react';
import type { Action, PageData } from '../../../server/protocol/index.ts';
import { sendCommand } from '../../api/rest.ts';
import { countByFilter, FILTERS, type FilterId, filterRows, type KeyedRow, serviceRows } from '../../state/select.ts';
import type { Store } from '../../state/store.ts';
import { ServiceTable } from './service-table.tsx';
import { StopDialog } from './stop-dialog.tsx';
import { Toolbar } from './toolbar.tsx';

interface Props {
  readonly page: PageData;
  readonly pending: Readonly<Record<string, Action>>;
  readonly store: Store;
}

/** Drawn at first; a longer list is one click away. */
const SHOWN_ROWS = 500;

export function ServicesSection({ page, pending, store }: Props) {
  const [text, setText] = useState('');
  const [filter, setFilter] = useState<FilterId>('all');
  const [shown, setShown] = useState(SHOWN_ROWS);
  const [toStop, setToStop] = useState<KeyedRow>();
  const nextNotice = useRef(1);

  const run = async ({ key, row }: KeyedRow, action: Action) => {
    store.dispatch({ type: 'command-sent', key, action });
    const { isAccepted, title, text } = await sendCommand(row, action);
    const id = nextNotice.current++;
    store.dispatch({ type: 'command-settled', key, notice: { id, tone: isAccepted ? 'good' : 'bad', title, text } });
  };
  const act = (keyed: KeyedRow, action: Action) => {
    if (action === 'stop') setToStop(keyed);
    else void run(keyed, action);
  };

  const rows = serviceRows(page, false);
  const counts = countByFilter(rows);
  const matching = filterRows(rows, text, filter);
  return (
    <section className="section" aria-labelledby="services">
      <div className="section-head">
        <h2 id="services" tabIndex={-1}>
          Services
        </h2>
        <span className="section-note">
          {matching.length === rows.length ? rows.length : `${matching.length} of ${rows.length}`}
        </span>
        {rows.length > 0 && (
          <Toolbar
            text={text}
            setText={setText}
            filter={filter}
            setFilter={setFilter}
            filters={FILTERS.filter(({ id }) => id === 'all' || id === filter || counts[id] > 0)}
            counts={counts}
          />
        )}
      </div>
      {rows.length === 0 && <NoServices isComplete={page.fleet.isComplete} />}
      {rows.length > 0 && matching.length === 0 && (
        <div className="empty">
          <p className="empty-title">No service matches</p>
          <button
            type="button"
            className="button"
            onClick={() => {
              setText('');
              setFilter('all');
            }}
          >
            Show all {rows.length}
          </button>
        </div>
      )}
      {matching.length > 0 && (
        <ServiceTable label="Services" rows={matching.slice(0, shown)} pending={pending} act={act} />
      )}
      {matching.length > shown && (
        <button type="button" className="button more-rows" onClick={() => setShown(shown + SHOWN_ROWS)}>
          Show {Math.min(SHOWN_ROWS, matching.length - shown)} more
        </button>
      )}
      <StopDialog
        keyed={toStop}
        answer={(isConfirmed) => {
          if (isConfirmed && toStop !== undefined) void run(toStop, 'stop');
          setToStop(undefined);
        }}
      />
    </section>
  );
}

function NoServices({ isComplete }: { readonly isComplete: boolean }) {
  if (!isComplete) return <p className="quiet">Reading what is stored on the bus…</p>;
  return (
    <div className="empty">
      <p className="empty-title">No services yet</p>
      <p>
        Name one in <code>config/services.yaml</code> on a host with an agent:
      </p>
      <pre>
        {
          'services:\n  - name: hello\n    command: python3 -m http.server 8080\n    port: 8080\n    health_check_url: http://localhost:8080/'
        }
      </pre>
      <p>
        <code>npx muster validate</code> checks the file; the agent starts what it names.
      </p>
    </div>
  );
}
