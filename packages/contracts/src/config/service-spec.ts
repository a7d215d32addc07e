import { createHash } from 'node:crypto';
import type { DependencyCondition, ServiceTypeName, StopSignal } from './schema.ts';

/** One service as configured, with every default filled in. */
export interface ServiceSpec {
  readonly name: string;
  readonly type: ServiceTypeName;
  /** A string is a command line (docker: the image, systemd: the unit, supervisor: the program); a list is argv. */
  readonly command: string | readonly string[];
  /** As written; absent means where the agent runs. */
  readonly workingDirectory?: string;
  readonly port?: number;
  readonly healthCheckUrl?: string;
  /** For fastapi `PORT` is among them when a port is given. */
  readonly environment: Readonly<Record<string, string>>;
  /** Paths of files that are read at each start, later ones win; `environment` wins over all. */
  readonly envFiles: readonly string[];
  readonly dependencies: readonly DependencySpec[];
  readonly autoRestart: boolean;
  /** How many automatic restarts the window allows. */
  readonly maxRestarts: number;
  /** A constant delay before each automatic restart; absent means exponential backoff. */
  readonly restartDelayMs?: number;
  readonly stopSignal: StopSignal;
  /** From the stop signal to SIGKILL. */
  readonly stopTimeoutMs: number;
  /** Runs to its end once, and is restarted on failure only. */
  readonly job: boolean;
  readonly probes: { readonly [K in ProbeKind]?: ProbeSpec };
  readonly labels: Readonly<Record<string, string>>;
  readonly logs: LogSpec;
  /** One attempt every 10 min after the restart budget is spent. */
  readonly slowRetry: boolean;
}

/** What of the service's lines goes to the bus. */
export interface LogSpec {
  readonly ship: boolean;
  readonly rateBytesPerSecond: number;
  readonly burstBytes: number;
}

export interface DependencySpec {
  /** Absent for a service of the same host. */
  readonly host?: string;
  readonly service: string;
  readonly condition: DependencyCondition;
}

export type ProbeKind = 'startup' | 'readiness' | 'liveness';

/** Kubernetes' words: what is asked, how often, and how many answers in a row turn the judgement. */
export interface ProbeSpec {
  readonly check: ProbeCheck;
  readonly initialDelayMs: number;
  readonly periodMs: number;
  readonly timeoutMs: number;
  readonly successThreshold: number;
  readonly failureThreshold: number;
}

export type ProbeCheck =
  | {
      readonly kind: 'http';
      readonly url: string;
      /** The only status that is a success; absent means any of 200 to 399. */
      readonly expectedStatus?: number;
    }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/** Changes when anything in the spec changes, the values of its environment included; the order of keys does not matter. */
export function specHash(spec: ServiceSpec): string {
  return createHash('sha256').update(canonicalJson(spec)).digest('hex').slice(0, 32);
}

function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
