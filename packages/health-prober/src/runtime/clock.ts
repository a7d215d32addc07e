/** Monotonic milliseconds: what all waiting, ageing and lapsing is measured on. */
export function monotonicMs(): number {
  return performance.now();
}

/** For people only. */
export function wallTime(): string {
  return new Date().toISOString();
}

/** Says how far to look back in a stream, and no more: the stream's clock may differ. */
export function timeAgo(agoMs: number): string {
  return new Date(Date.now() - agoMs).toISOString();
}
