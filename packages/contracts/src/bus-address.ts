/** Where a program listens. An IPv6 address may stand in brackets. */
export interface Listen {
  readonly host: string;
  readonly port: number;
}

/** `host:port`, `[::1]:port`, `:port` (every address) or a port alone (loopback). */
export function parseListen(text: string): Listen | undefined {
  const match = /^(?:(\[[0-9a-fA-F:.]+\]|[^:\s]*):)?(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (match === null || port < 1 || port > 65_535) return undefined;
  const [, host = '127.0.0.1'] = match;
  return { host: host === '' ? '0.0.0.0' : withoutBrackets(host), port };
}

/** Paths of PEM files. Without a CA, the authorities that Node knows are trusted; a certificate needs its key. */
export interface TlsFiles {
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
}

/** Does only the machine itself reach it? Then the bus needs no TLS. */
export function isLoopbackHost(host: string): boolean {
  const bare = withoutBrackets(host);
  return bare === 'localhost' || bare === '::1' || /^127(\.\d{1,3}){3}$/.test(bare);
}

/** A wildcard address is for listening: a client on the same machine needs a real one. IPv6 without brackets. */
export function reachableHost(host: string): string {
  const bare = withoutBrackets(host);
  if (bare === '0.0.0.0') return '127.0.0.1';
  return bare === '::' ? '::1' : bare;
}

/** How the machine's own programs reach the embedded bus. One that others reach too speaks TLS only. */
export function embeddedBusUrl({ host, port }: Listen): string {
  const scheme = isLoopbackHost(host) ? 'nats' : 'tls';
  return `${scheme}://${inUrl(reachableHost(host))}:${port}`;
}

/** An address as it stands in a URL. */
export function inUrl(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
}

/** A text, such as an address, without the user and the password of any address in it. */
export function withoutUserInfo(text: string): string {
  return text.replace(/\/\/[^/@\s]*@/g, '//…@');
}

function withoutBrackets(host: string): string {
  return host.replace(/^\[|\]$/g, '');
}
