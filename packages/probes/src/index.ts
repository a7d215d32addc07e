export { ForbiddenAddressError, type Gate } from './gate.ts';
export { probeHttp } from './http.ts';
export { probe, probes } from './registry.ts';
export type { ProbeFn, ProbeResult } from './result.ts';
export type { HttpTarget, ProbeTarget, Protocol, TargetOf, TcpTarget } from './target.ts';
export { probeTcp } from './tcp.ts';
