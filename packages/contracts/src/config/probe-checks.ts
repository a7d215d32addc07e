/*
 * What a probe may ask, by the name that services.yaml has for it. A new kind is a row here, a member of `ProbeCheck` and of the
 * schema of probes, and a file with a row in packages/probes: the compiler names each that is missing.
 */
import type { ProbeEntry } from './schema.ts';
import type { ProbeCheck } from './service-spec.ts';

type CheckKind = ProbeCheck['kind'];
type CheckEntry<K extends CheckKind> = NonNullable<ProbeEntry[K]>;

/** What values of one entry say against each other. */
interface Contradiction {
  /** Where; absent: in the entry as a whole. */
  readonly field?: string;
  readonly problem: string;
  readonly remedy: string;
}

interface CheckRow<K extends CheckKind> {
  readonly contradictions: (entry: CheckEntry<K>, servicePort: number | undefined) => readonly Contradiction[];
  /** `undefined` only for what was refused. */
  readonly toCheck: (entry: CheckEntry<K>, servicePort: number | undefined) => ProbeCheck | undefined;
}

const NO_PORT: Contradiction = { problem: 'has no port, nor has the service', remedy: 'write a port here or there' };

const CHECKS: { readonly [K in CheckKind]: CheckRow<K> } = {
  http: {
    contradictions: ({ url, path, port }, servicePort) => {
      const found: Contradiction[] = [];
      if ((url === undefined) === (path === undefined)) {
        const problem = `has ${url === undefined ? 'neither url nor path' : 'both url and path'}`;
        found.push({ problem, remedy: 'write exactly one of the two' });
      }
      if (url !== undefined && port !== undefined) {
        found.push({ field: 'port', problem: 'has both url and port', remedy: 'write the port into the url' });
      }
      if (path !== undefined && (port ?? servicePort) === undefined) found.push(NO_PORT);
      return found;
    },
    toCheck: ({ url, path, port, status }, servicePort) => {
      const own = port ?? servicePort;
      const address = url ?? (path && own ? `http://127.0.0.1:${own}${path}` : undefined);
      if (address === undefined) return undefined;
      return { kind: 'http', url: address, ...(status !== undefined && { expectedStatus: status }) };
    },
  },
  tcp: {
    contradictions: ({ port }, servicePort) => ((port ?? servicePort) === undefined ? [NO_PORT] : []),
    toCheck: ({ host = '127.0.0.1', port: own }, servicePort) => {
      const port = own ?? servicePort;
      return port === undefined ? undefined : { kind: 'tcp', host, port };
    },
  },
};

export const CHECK_KINDS = Object.keys(CHECKS) as readonly CheckKind[];

/** A check as it is written. */
interface WrittenCheck {
  readonly kind: CheckKind;
  readonly contradictions: readonly Contradiction[];
  readonly check: ProbeCheck | undefined;
}

/** What is written of a probe: one check, where it is right. */
export function checksIn(probe: ProbeEntry, servicePort: number | undefined): readonly WrittenCheck[] {
  return CHECK_KINDS.flatMap((kind) => checkIn(kind, probe, servicePort) ?? []);
}

function checkIn<K extends CheckKind>(
  kind: K,
  probe: Pick<ProbeEntry, K>,
  port: number | undefined,
): WrittenCheck | undefined {
  const entry: ProbeEntry[K] = probe[kind];
  if (entry === undefined) return undefined;
  const { contradictions, toCheck } = CHECKS[kind];
  return { kind, contradictions: contradictions(entry, port), check: toCheck(entry, port) };
}
