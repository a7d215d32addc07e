/**
 * @param {string} version like `2.10.27`
 * @param {string} minVersion
 */
export function isAtLeast(version, minVersion) {
  const [have, want] = [version, minVersion].map((text) => text.split('.').map(Number));
  for (const [index, wanted] of (want ?? []).entries()) {
    const had = have?.[index] ?? 0;
    if (had !== wanted) return had > wanted;
  }
  return true;
}
