/** The value below which `share` (0–1) of the values lie, by the nearest rank. @throws Error when there are none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  if (value === undefined) throw new Error('cannot take a percentile of no values');
  return value;
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** How long one of so many pieces of work took, in µs. */
export async function usPerPiece(count: number, work: () => Promise<void>): Promise<number> {
  const startedAtMs = performance.now();
  await work();
  return ((performance.now() - startedAtMs) * 1_000) / count;
}
