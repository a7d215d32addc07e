import type { Gate } from './gate.ts';

/** What can be probed. The shape of a service's configured checks, so a check is a target. */
export type ProbeTarget = HttpTarget | TcpTarget;
export type Protocol = ProbeTarget['kind'];
export type TargetOf<P extends Protocol> = Extract<ProbeTarget, { kind: P }>;

/** GET `url`; an answer with the right status is a success. Redirects are answers: they are not followed. */
export interface HttpTarget {
  readonly kind: 'http';
  /** `http:` or `https:`. */
  readonly url: string;
  /** The only status that is a success; absent means any of 200 to 399. */
  readonly expectedStatus?: number;
  /** PEM of the authorities to trust in place of the system's. */
  readonly trustedCa?: string;
  /** Judges each address before it is connected to. Absent: who probes trusts who named the target. */
  readonly gate?: Gate;
}

/** Does something accept connections there? */
export interface TcpTarget {
  readonly kind: 'tcp';
  readonly host: string;
  readonly port: number;
  /** As of an `HttpTarget`. */
  readonly gate?: Gate;
}
