import { z } from 'zod';

/**
 * Ids are single NATS tokens, so an id can stand in a subject, a KV key, a file name and a URL without quoting.
 * `_` is not an id: it stands in a subject where there is none (an alert about a host has no service).
 */
export const ID_PATTERN = /^[a-z0-9][a-z0-9_-]{0,62}$/;

/** One token that names an environment, host, service, prober, dashboard or rule. */
export const Id = z
  .string()
  .max(63)
  .regex(ID_PATTERN, 'must be 1 to 63 of a-z, 0-9, _ and -, and start with a letter or a digit');

/** What stands in a subject or key where there is no id. */
export const NONE = '_';

/** The id of a prober or dashboard that is given no other. */
export const MAIN_ID = 'main';

export const IdOrNone = z.union([Id, z.literal(NONE)]);

/** Which of a service's running copies; counted from 0. */
export const InstanceNumber = z.int().min(0).max(9_999);

export function isId(text: string): boolean {
  return ID_PATTERN.test(text);
}

/** Turns a hostname into a host id: the first label, lower-cased, other characters as `-`; `host` when nothing is left. */
export function hostIdFrom(hostname: string): string {
  const label = (hostname.split('.')[0] ?? '').toLowerCase().replace(/[^a-z0-9_-]/g, '-');
  const id = label.replace(/^[^a-z0-9]+/, '').slice(0, 63);
  return isId(id) ? id : 'host';
}
