import type { PageData } from '../../../server/protocol/index.ts';
import { Age } from '../../ui/age.tsx';
import { Mark } from '../../ui/mark.tsx';

/** How the fleet is doing, in one sentence that can be read from across the room. */
export function FleetVerdict({ page: { fleet } }: { readonly page: PageData }) {
  return (
    <section className={`verdict tone-${fleet.mood}`} aria-labelledby="verdict">
      <Mark mood={fleet.mood} />
      <div>
        <h1 id="verdict">{fleet.headline}</h1>
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
