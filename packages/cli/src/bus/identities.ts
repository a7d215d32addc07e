import { existsSync } from 'node:fs';
import { MAIN_ID } from '@muster/contracts';
import { type Identity, identitiesIn } from '@muster/contracts/keys';
import type { Settings } from '../config.ts';
import { ADMIN, OPERATOR } from './connect.ts';

/** Everybody who speaks on the bus of one machine that runs the whole system. */
export function ownIdentities(hostId: string): readonly Identity[] {
  return [
    { role: 'agent', id: hostId },
    { role: 'prober', id: MAIN_ID },
    { role: 'dashboard', id: MAIN_ID },
    OPERATOR,
    { role: 'observer', id: 'alerts' },
    ADMIN,
  ];
}

/** For whom alerts wait while it is away, as far as its keys are here. */
export async function observersIn({ keysDir, environment }: Settings): Promise<readonly string[]> {
  const identities = existsSync(keysDir) ? await identitiesIn(keysDir, environment) : [];
  return identities.filter(({ role }) => role === 'observer').map(({ id }) => id);
}
