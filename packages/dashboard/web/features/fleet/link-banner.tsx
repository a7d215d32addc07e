import type { State } from '../../state/state.ts';
import { Age } from '../../ui/age.tsx';

/** Says when what is on screen is old, and how old. */
export function LinkBanner({ state }: { readonly state: State }) {
  const { link, lastFrameMs, serverMinusLocalMs, isOutdated } = state;
  if (isOutdated) {
    return (
      <div className="banner" role="alert">
        <span>The dashboard was updated: this page is too old for it.</span>
        <button type="button" className="button" onClick={() => window.location.reload()}>
          Load it again
        </button>
      </div>
    );
  }
  if (link.status !== 'lost') return null;
  return (
    <div className="banner" role="alert">
      {lastFrameMs === undefined ? (
        <span>The dashboard does not answer. Trying again…</span>
      ) : (
        <span>
          <strong>Connection lost.</strong> The data below is <Age atMs={lastFrameMs + serverMinusLocalMs} /> old.
          Trying again…
        </span>
      )}
    </div>
  );
}
