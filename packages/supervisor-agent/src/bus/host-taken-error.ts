import type { Claimant } from '@muster/contracts';

/** Another agent on this machine speaks for this host. Two of them would run its services twice. */
export class HostTakenError extends Error {
  readonly host: string;
  readonly rival: Claimant;

  constructor(host: string, rival: Claimant) {
    super(
      `cannot start a second agent for host '${host}': agent ${rival.agentId} on this machine speaks for it; stop that one first, or give this one another host id with MUSTER_HOST`,
    );
    this.name = 'HostTakenError';
    this.host = host;
    this.rival = rival;
  }
}
