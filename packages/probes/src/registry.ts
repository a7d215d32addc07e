import { probeHttp } from './http.ts';
import type { ProbeFn, ProbeResult } from './result.ts';
import type { ProbeTarget, Protocol, TargetOf } from './target.ts';
import { probeTcp } from './tcp.ts';

/** Every protocol. A new one is a file, a target and a row here. */
export const probes: { readonly [P in Protocol]: ProbeFn<TargetOf<P>> } = { http: probeHttp, tcp: probeTcp };

/** Probes `target` by its own protocol. Never rejects; `signal` is the deadline. */
export function probe(target: ProbeTarget, signal: AbortSignal): Promise<ProbeResult> {
  switch (target.kind) {
    case 'http':
      return probes.http(target, signal);
    case 'tcp':
      return probes.tcp(target, signal);
  }
}
