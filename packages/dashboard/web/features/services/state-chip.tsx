import type { ServiceRow } from '../../../server/protocol/index.ts';
import { Age } from '../../ui/age.tsx';
import { capitalize } from '../../ui/format.ts';
import { Mark } from '../../ui/mark.tsx';
import { moodOfState } from './mood-of-state.ts';

/** The state in colour, shape and word, and for how long. */
export function StateChip({ row }: { readonly row: ServiceRow }) {
  const mood = moodOfState(row);
  const atMs = row.isConfirmed ? row.enteredAtMs : row.lastHeardAtMs;
  return (
    <div className="state">
      <span className={`chip tone-${mood}`}>
        <Mark mood={mood} />
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
