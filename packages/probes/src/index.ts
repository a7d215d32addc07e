export { ForbiddenAddressError, type Gate } from './gate.ts';
export { probeHttp } from './http.ts';
export { probe } from './registry.ts';
export type { ProbeFn, ProbeResult } from './result.ts';
export type { ProbeTarget, Protocol, TargetOf } from './target.ts';
export { probeTcp } from './tcp.ts';
