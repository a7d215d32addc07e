import type { PageData } from '../../../server/protocol/index.ts';
import { Age } from '../../ui/age.tsx';
import { Mark } from '../../ui/mark.tsx';

/** How the fleet is doing, in one sentence that can be read from across the room. */
export function FleetHeadline({ page: { fleet } }: { readonly page: PageData }) {
  return (
    <section className={`headline tone-${fleet.status}`} aria-labelledby="headline">
      <Mark status={fleet.status} />
      <div>
        <h1 id="headline">{fleet.headline}</h1>
        <p>
          {fleet.detail}
          {!fleet.bus.isConnected && (
            <>
              {' '}
              Bus away for <Age atMs={fleet.bus.sinceAtMs} />.
            </>
          )}
        </p>
      </div>
    </section>
  );
}
