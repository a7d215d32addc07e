import type { PageData } from '../../../server/protocol/index.ts';
import type { State } from '../../state/state.ts';

const LINK_WORDS: Readonly<Record<State['link']['status'], string>> = {
  connecting: 'Connecting',
  live: 'Live',
  lost: 'Reconnecting',
};

export function TopBar({ state, page }: { readonly state: State; readonly page: PageData | undefined }) {
  const { status } = state.link;
  const isBusAway = status === 'live' && page !== undefined && !page.fleet.bus.isConnected;
  return (
    <header className="top-bar">
      <div className="brand">
        <Logo />
        <span className="brand-name">Muster</span>
        {page !== undefined && <span className="badge">{page.fleet.environment}</span>}
      </div>
      <div className="links">
        <span
          className={`link link-bus link-${isBusAway ? 'lost' : 'live'}`}
          hidden={page === undefined || status === 'lost'}
        >
          Bus {isBusAway ? 'away' : 'connected'}
        </span>
        <span className={`link link-${status}`}>{LINK_WORDS[status]}</span>
      </div>
    </header>
  );
}

/** Six dots in two rows, as at a muster, and one of them is lit. */
function Logo() {
  const places = [8, 16, 24].flatMap((x) => [11, 21].map((y) => ({ x, y })));
  return (
    <svg className="logo" viewBox="0 0 32 32" aria-hidden="true">
      {places.map(({ x, y }) => (
        <circle key={`${x}-${y}`} cx={x} cy={y} r="3.2" className={x === 24 && y === 21 ? 'logo-lit' : 'logo-dot'} />
      ))}
    </svg>
  );
}
