import { emptyFleet, type Fact, type OwnedFleet } from '../../server/view/fleet.ts';
import { fold } from '../../server/view/fold.ts';

/** A fleet of which these facts were learned, each at its monotonic instant. */
export function fleetOf(facts: Iterable<readonly [atMs: number, fact: Fact]>): OwnedFleet {
  const fleet = emptyFleet(0);
  for (const [atMs, fact] of facts) fold(fleet, fact, atMs);
  return fleet;
}
