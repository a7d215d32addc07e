/**
 * Differences between two pages, as JSON Merge Patches (RFC 7396): an object is merged, null removes, anything else replaces.
 * Page data has no null outside arrays, so every difference can be said this way.
 */
type Json = string | number | boolean | null | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * What turns `before` into `after`, or `undefined` when they are equal. Parts that are the same object are not looked into,
 * so a large page that mostly kept its rows costs little.
 */
export function diff(before: object, after: object): JsonObject | undefined {
  if (before === after) return undefined;
  const old = before as Record<string, unknown>;
  const next = after as Record<string, unknown>;
  const patch: Record<string, Json> = {};
  let isEmpty = true;
  const put = (key: string, value: Json) => {
    define(patch, key, value);
    isEmpty = false;
  };
  for (const key of Object.keys(next)) {
    const value = next[key];
    if (value === undefined) continue;
    const was = Object.hasOwn(old, key) ? old[key] : undefined;
    if (was === value) continue;
    if (isObject(was) && isObject(value)) {
      const inner = diff(was, value);
      if (inner !== undefined) put(key, inner);
    } else if (!isSameArray(was, value)) put(key, value as Json);
  }
  for (const key of Object.keys(old)) {
    if (old[key] !== undefined && (!Object.hasOwn(next, key) || next[key] === undefined)) put(key, null);
  }
  return isEmpty ? undefined : patch;
}

function isSameArray(a: unknown, b: unknown): boolean {
  if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
  return JSON.stringify(a) === JSON.stringify(b);
}

/** `target` with `patch` merged in. Parts that the patch leaves alone stay the same objects. */
export function applyPatch<T extends object>(target: T, patch: JsonObject): T {
  const result = Object.fromEntries(Object.entries(target));
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else if (isObject(value)) {
      const was: unknown = Object.hasOwn(result, key) ? result[key] : undefined;
      define(result, key, applyPatch(isObject(was) ? was : {}, value));
    } else define(result, key, value);
  }
  return result as T;
}

/** `__proto__` as a plain assignment would set the prototype instead of a key. */
function define(target: object, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, enumerable: true, writable: true, configurable: true });
}
