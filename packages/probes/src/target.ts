import type { ProbeCheck } from '@muster/contracts/config';
import type { Gate } from './gate.ts';

export type Protocol = ProbeCheck['kind'];

/** What can be probed: a service's configured check, with what only who probes knows. */
export type TargetOf<P extends Protocol> = Extract<ProbeCheck, { kind: P }> & {
  /** PEM of the authorities to trust in place of the system's. */
  readonly trustedCa?: string;
  /** Judges each address before it is connected to. Absent: who probes trusts who named the target. */
  readonly gate?: Gate;
};
export type ProbeTarget = { [P in Protocol]: TargetOf<P> }[Protocol];
