import type { LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';

/** Stands between a target's host and the connection, for whoever probes what others have named. */
export interface Gate {
  /** What the address is that nothing may connect to it, as in `a link-local address`; `undefined` when one may. */
  readonly whyNot: (address: string) => string | undefined;
  /** The addresses of a name. */
  readonly addressesOf: (name: string) => Promise<readonly LookupAddress[]>;
}

/** The gate lets no connection through. */
export class ForbiddenAddressError extends Error {
  override readonly name = 'ForbiddenAddressError';
}

/**
 * Options for a connection to `host`. The addresses that the gate has judged are the ones that are connected to: nobody
 * looks the name up a second time. @throws ForbiddenAddressError when `host` is itself an address that it closes
 */
export function gatedTo(host: string, gate: Gate | undefined): { readonly lookup?: LookupFunction } {
  if (gate === undefined) return {};
  if (isIP(host) === 0) return { lookup: lookupThrough(gate) };
  const why = gate.whyNot(host);
  if (why !== undefined) throw new ForbiddenAddressError(`${host} is ${why}`);
  return {};
}

function lookupThrough({ whyNot, addressesOf }: Gate): LookupFunction {
  return (name, { all }, callback) => {
    const judge = (addresses: readonly LookupAddress[]) => {
      const open = addresses.filter(({ address }) => whyNot(address) === undefined);
      const [first] = open;
      if (first === undefined) callback(forbidden(addresses[0]?.address), '');
      else if (all === true) callback(null, open);
      else callback(null, first.address, first.family);
    };
    const forbidden = (address: string | undefined) =>
      new ForbiddenAddressError(
        address === undefined ? 'it resolves to no address' : `it resolves to ${address}, ${whyNot(address)}`,
      );
    addressesOf(name).then(judge, (error: NodeJS.ErrnoException) => callback(error, ''));
  };
}
