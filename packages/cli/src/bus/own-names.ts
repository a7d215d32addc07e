import { hostname, networkInterfaces } from 'node:os';

/** Every name and address by which a client may reach this machine, as far as the machine itself knows. */
export function ownNames(listenHost: string, further: readonly string[]): readonly string[] {
  const listed = listenHost === '0.0.0.0' || listenHost === '::' ? [] : [listenHost];
  return [...new Set(['localhost', '127.0.0.1', '::1', ...listed, hostname(), ...ownAddresses(), ...further])];
}

/** Addresses that other machines can use; those of the link alone need a zone that differs on each. */
export function ownAddresses(): readonly string[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, address }) => !internal && !address.startsWith('fe80:'))
    .map(({ address }) => address);
}
