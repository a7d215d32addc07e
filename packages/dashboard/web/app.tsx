import { useMemo, useSyncExternalStore } from 'react';
import { AlertList } from './features/alerts/alert-list.tsx';
import { Announcer } from './features/fleet/announcer.tsx';
import { FleetHeadline } from './features/fleet/fleet-headline.tsx';
import { LinkBanner } from './features/fleet/link-banner.tsx';
import { NoticeList } from './features/fleet/notice-list.tsx';
import { TopBar } from './features/fleet/top-bar.tsx';
import { HostList } from './features/hosts/host-list.tsx';
import { OwnSection } from './features/services/own-section.tsx';
import { ServicesSection } from './features/services/services-section.tsx';
import type { Store } from './state/store.ts';
import { trustedPage } from './state/trust.ts';
import { ClockProvider, createClock } from './ui/clock.tsx';

/** The one page. Reads the store, and shows of it what may be trusted. */
export function App({ store }: { readonly store: Store }) {
  const state = useSyncExternalStore(store.subscribe, store.getState);
  const clock = useMemo(() => createClock(store), [store]);
  const { page: known, link, lastFrameMs, serverMinusLocalMs } = state;
  const page = useMemo(
    () =>
      trustedPage({
        ...(known !== undefined && { page: known }),
        link,
        ...(lastFrameMs !== undefined && { lastFrameMs }),
        serverMinusLocalMs,
      }),
    [known, link, lastFrameMs, serverMinusLocalMs],
  );
  return (
    <ClockProvider value={clock}>
      <a className="skip-link" href="#services">
        Skip to the services
      </a>
      <TopBar state={state} page={page} />
      <LinkBanner state={state} />
      <main className="page">
        {page === undefined ? (
          <Waiting />
        ) : (
          <>
            <FleetHeadline page={page} />
            <AlertList page={page} />
            <HostList page={page} />
            <ServicesSection page={page} pending={state.pending} store={store} />
            <OwnSection page={page} isTrusted={link.status !== 'lost'} />
          </>
        )}
      </main>
      <NoticeList notices={state.notices} store={store} />
      <Announcer page={page} />
    </ClockProvider>
  );
}

function Waiting() {
  return (
    <div className="empty" role="status">
      <p className="empty-title">Connecting to the dashboard</p>
      <p>The fleet appears here as soon as it answers.</p>
    </div>
  );
}
