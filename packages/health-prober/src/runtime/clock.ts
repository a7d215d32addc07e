/** Monotonic milliseconds: what all waiting, ageing and lapsing is measured on. */
export function monotonicMs(): number {
  return performance.now();
}

/** For people only. */
export function wallTime(): string {
  return new Date().toISOString();
}
