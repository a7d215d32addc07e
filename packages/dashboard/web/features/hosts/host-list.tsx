import type { HostRow, PageData, Presence } from '../../../server/protocol/index.ts';
import { Age } from '../../ui/age.tsx';
import { formatBytes, formatDuration, formatRatio } from '../../ui/format.ts';
import { Mark } from '../../ui/mark.tsx';
import { Meter } from '../../ui/meter.tsx';

/** Shown without being asked for. */
const SHOWN_HOSTS = 12;

export function HostList({ page }: { readonly page: PageData }) {
  const hosts = Object.values(page.hosts).sort(
    (a, b) => Number(isFine(a)) - Number(isFine(b)) || (a.host < b.host ? -1 : 1),
  );
  const [shown, rest] = [hosts.slice(0, SHOWN_HOSTS), hosts.slice(SHOWN_HOSTS)];
  return (
    <section className="section" aria-labelledby="hosts">
      <div className="section-head">
        <h2 id="hosts">Hosts</h2>
        <span className="section-note">{hosts.length}</span>
      </div>
      {hosts.length === 0 ? (
        <p className="quiet">
          No agent has been heard. Start one with <code>npm start</code>; it appears here within seconds.
        </p>
      ) : (
        <HostCards hosts={shown} />
      )}
      {rest.length > 0 && (
        <details className="more">
          <summary>{rest.length} more hosts</summary>
          <HostCards hosts={rest} />
        </details>
      )}
    </section>
  );
}

function isFine({ presence }: HostRow): boolean {
  return presence === 'heard';
}

function HostCards({ hosts }: { readonly hosts: readonly HostRow[] }) {
  return (
    <ul className="hosts">
      {hosts.map((host) => (
        <HostCard key={host.host} host={host} />
      ))}
    </ul>
  );
}

const PRESENCE_WORDS: Readonly<Record<Presence, string>> = {
  heard: 'heard',
  awaited: 'awaiting its first heartbeat',
  silent: 'not heard',
  blind: 'unknown',
};

function HostCard({ host: row }: { readonly host: HostRow }) {
  const {
    host,
    status,
    presence,
    heardAtMs,
    services,
    cpuRatio,
    cores,
    load1,
    memoryUsedBytes,
    memoryTotalBytes,
    uptimeSeconds,
    backlog,
    notShown,
  } = row;
  return (
    <li className="host" data-host={host}>
      <div className="host-head">
        <Mark status={status} />
        <h3>{host}</h3>
        <span className={`host-presence presence-${presence}`}>
          {PRESENCE_WORDS[presence]}
          {heardAtMs !== undefined && (
            <>
              {presence === 'heard' ? ' ' : ', last '}
              <Age atMs={heardAtMs} /> ago
            </>
          )}
        </span>
      </div>
      {cpuRatio === undefined || memoryUsedBytes === undefined || memoryTotalBytes === undefined ? (
        <p className="host-blank">
          {presence === 'heard' ? 'Waiting for its first measurements' : 'No measurements while it is not heard'}
        </p>
      ) : (
        <div className="host-meters">
          <Meter label="CPU" ratio={cpuRatio} text={formatRatio(cpuRatio)} />
          <Meter
            label="Memory"
            ratio={memoryTotalBytes === 0 ? 0 : memoryUsedBytes / memoryTotalBytes}
            text={`${formatBytes(memoryUsedBytes)} of ${formatBytes(memoryTotalBytes)}`}
          />
        </div>
      )}
      <dl className="host-facts">
        <Fact name="Services" value={String(services)} />
        {notShown !== undefined && <Fact name="Not shown" value={`${notShown} more than are taken of one host`} />}
        {load1 !== undefined && (
          <Fact name="Load" value={`${load1.toFixed(2)} on ${cores ?? 0} ${cores === 1 ? 'core' : 'cores'}`} />
        )}
        {uptimeSeconds !== undefined && <Fact name="Up" value={formatDuration(uptimeSeconds * 1_000)} />}
        {backlog !== undefined && backlog > 0 && <Fact name="Waiting events" value={String(backlog)} />}
      </dl>
    </li>
  );
}

function Fact({ name, value }: { readonly name: string; readonly value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
