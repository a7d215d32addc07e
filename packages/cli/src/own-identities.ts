import type { Identity } from '@muster/contracts/bus';
import { ADMIN, OPERATOR } from './connect.ts';

/** Everybody who speaks on the bus of one machine that runs the whole system. */
export function ownIdentities(hostId: string): readonly Identity[] {
  return [
    { role: 'agent', id: hostId },
    { role: 'prober', id: 'main' },
    { role: 'dashboard', id: 'main' },
    OPERATOR,
    { role: 'observer', id: 'alerts' },
    ADMIN,
  ];
}
