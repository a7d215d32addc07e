import type { ComponentRow, PageData } from '../../../server/protocol/index.ts';
import { serviceRows } from '../../state/select.ts';
import { Age } from '../../ui/age.tsx';
import { Mark } from '../../ui/mark.tsx';
import { ServiceTable } from './service-table.tsx';

/** Muster's own programs are services too, but nobody stops them from the page. Without a connection the page confirms none of them. */
export function OwnSection({ page, isTrusted }: { readonly page: PageData; readonly isTrusted: boolean }) {
  const rows = serviceRows(page, true);
  const components = Object.entries(page.components);
  if (rows.length + components.length === 0) return null;
  return (
    <section className="section" aria-labelledby="own">
      <div className="section-head">
        <h2 id="own">Muster itself</h2>
        <span className="section-note">what keeps the rest running</span>
      </div>
      <ul className="components">
        <li className="component">
          <Mark status={isTrusted && page.fleet.bus.isConnected ? 'good' : 'unknown'} />
          <strong>Bus</strong>{' '}
          {isTrusted ? (
            <>
              {page.fleet.bus.isConnected ? 'connected for' : 'away for'} <Age atMs={page.fleet.bus.sinceAtMs} />
            </>
          ) : (
            'not known'
          )}
        </li>
        {components.map(([key, component]) => (
          <Component key={key} component={component} />
        ))}
      </ul>
      {rows.length > 0 && <ServiceTable label="Muster's own services" rows={rows} pending={{}} />}
    </section>
  );
}

function Component({ component }: { readonly component: ComponentRow }) {
  const { kind, id, presence, heardAtMs, isLeading, targets, viewers } = component;
  return (
    <li className="component">
      <Mark status={presence === 'heard' ? 'good' : 'unknown'} />
      <strong>{kind === 'prober' ? 'Prober' : 'Dashboard'}</strong> {id}
      {presence !== 'heard' && heardAtMs !== undefined && (
        <>
          , last heard <Age atMs={heardAtMs} /> ago
        </>
      )}
      {presence === 'heard' &&
        targets !== undefined &&
        `, ${targets} ${targets === 1 ? 'target' : 'targets'}${isLeading ? ', leading' : ''}`}
      {presence === 'heard' && viewers !== undefined && `, ${viewers} watching`}
    </li>
  );
}
