import { probeHttp } from './http.ts';
import type { ProbeFn, ProbeResult } from './result.ts';
import type { ProbeTarget, Protocol, TargetOf } from './target.ts';
import { probeTcp } from './tcp.ts';

/** Every protocol. A new one is a file and a row here; the check itself is a row of `contracts/src/config/probe-checks.ts`. */
const probes: { readonly [P in Protocol]: ProbeFn<TargetOf<P>> } = { http: probeHttp, tcp: probeTcp };

/** Probes `target` by its own protocol. Never rejects; `signal` is the deadline. */
export function probe(target: ProbeTarget, signal: AbortSignal): Promise<ProbeResult> {
  return (probes[target.kind] as ProbeFn<ProbeTarget>)(target, signal);
}
