export { type Gate } from './gate.ts';
export { probeHttp } from './http.ts';
export { probe } from './registry.ts';
export type { ProbeResult } from './result.ts';
export type { TargetOf } from './target.ts';
export { probeTcp } from './tcp.ts';
