import { type NatsBus, setUpIncarnation } from '@muster/contracts/bus';
import type { Settings } from '../config.ts';
import { hasBusKeys } from './files.ts';

/**
 * Compares the store with what is noted beside the keys, and raises its incarnation when it has gone back, or when somebody
 * says so. Returns what is worth saying of it.
 */
export async function markStore(bus: NatsBus, { keysDir }: Settings, isRestored: boolean): Promise<readonly string[]> {
  const { incarnation, isRaised } = await setUpIncarnation(bus, {
    isRestored,
    ...(hasBusKeys(keysDir) && { directory: keysDir }),
  });
  if (!isRaised) return [];
  return [`the store has gone back (incarnation ${incarnation}): agents and probers send again what it has lost`];
}
