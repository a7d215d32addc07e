import type { ServiceRow } from '../../../server/protocol/index.ts';
import { Age } from '../../ui/age.tsx';
import { capitalize } from '../../ui/format.ts';
import { Mark } from '../../ui/mark.tsx';
import { statusOfState } from './status-of-state.ts';

/** The state in colour, shape and word, and for how long. */
export function StateChip({ row }: { readonly row: ServiceRow }) {
  const status = statusOfState(row);
  const atMs = row.isConfirmed ? row.enteredAtMs : row.lastHeardAtMs;
  return (
    <div className="state">
      <span className={`chip tone-${status}`}>
        <Mark status={status} />
        {capitalize(row.state)}
      </span>
      {atMs !== undefined && (
        <span className="state-age">
          for <Age atMs={atMs} />
        </span>
      )}
    </div>
  );
}
