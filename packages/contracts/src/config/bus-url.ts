import { z } from 'zod';

const RULE = 'write nats://host:port or tls://host:port, without user and password; several with commas';

/** Where the bus is, as people write it. Who may connect is said by a creds file: a password in an address is seen by too many. */
export const BusUrls = z.string({ error: RULE }).refine((urls) => busServers(urls).every(isBusUrl), { error: RULE });

/** One address each. */
export function busServers(urls: string): readonly string[] {
  return urls.split(',').map((url) => url.trim());
}

function isBusUrl(url: string): boolean {
  if (!/^(nats|tls):\/\//.test(url) || !URL.canParse(url)) return false;
  const { hostname, username, password } = new URL(url);
  return hostname !== '' && username === '' && password === '';
}
