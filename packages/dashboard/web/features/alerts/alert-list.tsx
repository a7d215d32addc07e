import type { AlertRow, PageData, RowStatus } from '../../../server/protocol/index.ts';
import { sortedAlerts } from '../../state/select.ts';
import { Age } from '../../ui/age.tsx';
import { Mark } from '../../ui/mark.tsx';

/** Shown without being asked for; the rest of the past opens on request. */
const SHOWN_PAST = 3;

export function AlertList({ page }: { readonly page: PageData }) {
  const { open, past } = sortedAlerts(page);
  const [recent, older] = [past.slice(0, SHOWN_PAST), past.slice(SHOWN_PAST)];
  return (
    <section className="section" aria-labelledby="alerts">
      <div className="section-head">
        <h2 id="alerts">Alerts</h2>
        <span className="section-note">{open.length === 0 ? 'none firing' : `${open.length} open`}</span>
      </div>
      {open.length + past.length === 0 ? (
        <p className="quiet">
          Nothing has happened that deserved an alert. Crashes, failures and silent hosts will be listed here.
        </p>
      ) : (
        <div className="panel">
          <ul className="alerts">
            {[...open, ...recent].map((alert) => (
              <AlertItem key={alert.fingerprint} alert={alert} />
            ))}
          </ul>
          {older.length > 0 && (
            <details className="more">
              <summary>{older.length} earlier</summary>
              <ul className="alerts">
                {older.map((alert) => (
                  <AlertItem key={alert.fingerprint} alert={alert} />
                ))}
              </ul>
            </details>
          )}
        </div>
      )}
    </section>
  );
}

function statusOf({ state, severity, isConfirmed }: AlertRow): RowStatus {
  if (state === 'resolved') return severity === 'info' ? 'idle' : 'good';
  if (!isConfirmed) return 'unknown';
  if (severity === 'info') return 'busy';
  return severity === 'critical' ? 'bad' : 'warn';
}

function AlertItem({ alert }: { readonly alert: AlertRow }) {
  const { state, severity, service, host, rule, summary, reason, startedAtMs, endedAtMs, isConfirmed } = alert;
  const isOver = state === 'resolved';
  const atMs = isOver ? (endedAtMs ?? startedAtMs) : startedAtMs;
  return (
    <li className={`alert ${isOver ? 'alert-over' : ''}`}>
      <Mark status={statusOf(alert)} />
      <div className="alert-text">
        <p className="alert-summary">{summary}</p>
        <p className="alert-reason">
          {reason}
          {!isConfirmed && '; no prober confirms it now'}
        </p>
      </div>
      <div className="alert-facts">
        <span className="tag">{severity}</span>
        <span className="tag">{rule}</span>
        <span className="alert-where">{service === undefined ? host : `${service} on ${host}`}</span>
        <span className="alert-age">
          {stateWords(alert)}
          {atMs !== undefined && (
            <>
              {' '}
              <Age atMs={atMs} />
              {isOver && ' ago'}
            </>
          )}
        </span>
      </div>
    </li>
  );
}

/** An informational alert reports an event, which happened and cannot be "resolved". */
function stateWords({ state, severity }: AlertRow): string {
  if (state === 'resolved') return severity === 'info' ? 'happened' : 'resolved';
  return `${state} for`;
}
