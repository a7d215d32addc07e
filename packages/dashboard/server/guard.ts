import type { IncomingHttpHeaders } from 'node:http';
import { isIPv4 } from 'node:net';
import { RequestError } from './errors.ts';

/**
 * Which names a dashboard without sign-in answers to: those of this machine, for programs and for pages that it served itself.
 * Whose program or browser it is, `caller/` says.
 *
 * A foreign page in the user's browser can reach loopback too. Its requests carry its own name in `Host` when it rebinds its
 * DNS name to 127.0.0.1, and in `Origin` when it posts or opens a socket; both are checked on every route.
 */

/**
 * `localhost` is two addresses: while the other one may be somebody else's, so may a page of that name.
 * @throws RequestError `host-refused` or `origin-refused`
 */
export function checkNames(
  headers: IncomingHttpHeaders,
  { isLocalhostOurs }: { readonly isLocalhostOurs: boolean },
): void {
  const { host, origin } = headers;
  if (host === undefined || !isLoopbackName(hostname(host))) {
    throw new RequestError(
      'host-refused',
      `the Host header '${shown(host)}' is not this machine's: use localhost or 127.0.0.1`,
    );
  }
  if (!isLocalhostOurs && hostname(host).toLowerCase() === 'localhost') {
    throw new RequestError(
      'host-refused',
      `localhost may be another program's here: use the address that the dashboard listens on, such as 127.0.0.1`,
    );
  }
  if (origin !== undefined && origin.toLowerCase() !== `http://${host.toLowerCase()}`) {
    throw new RequestError(
      'origin-refused',
      `a page of '${shown(origin)}' may not use this dashboard: open http://${host}/ instead`,
    );
  }
}

/** A form of a foreign page can post text, but not JSON. @throws RequestError `json-expected` */
export function checkJson(headers: IncomingHttpHeaders): void {
  const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json') {
    throw new RequestError('json-expected', `send Content-Type: application/json (it was '${shown(type)}')`);
  }
}

/** `localhost`, 127.0.0.0/8 or ::1. */
export function isLoopbackName(name: string): boolean {
  return name.toLowerCase() === 'localhost' || name === '::1' || (isIPv4(name) && name.startsWith('127.'));
}

/** The name in a Host header; empty when it is none. */
function hostname(host: string): string {
  const match = /^(?:\[(?<six>[0-9a-fA-F:]+)\]|(?<name>[A-Za-z0-9.-]+))(?::\d{1,5})?$/.exec(host);
  return match?.groups?.six ?? match?.groups?.name ?? '';
}

const MAX_SHOWN_LENGTH = 100;

function shown(value: string | undefined): string {
  return (value ?? '').replace(/[^\x20-\x7e]/g, '?').slice(0, MAX_SHOWN_LENGTH);
}
