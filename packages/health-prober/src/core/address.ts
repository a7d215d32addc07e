/** Internet addresses as numbers, so that no spelling of one escapes a rule about it. */

export interface Address {
  readonly family: 4 | 6;
  readonly value: bigint;
}

/** All addresses that begin with the same `prefix` bits. */
export interface Network extends Address {
  readonly prefix: number;
}

const BITS = { 4: 32, 6: 128 } as const;
const LOW_32 = 0xffff_ffffn;

/** An IPv4 address in an IPv6 one that merely maps it (`::ffff:0:0/96`) is the IPv4 address. `undefined`: it is no address. */
export function parseAddress(text: string): Address | undefined {
  // The zone says through which interface, not which address.
  const bare = text.replace(/%.*$/s, '');
  if (!bare.includes(':')) {
    const value = parseIpv4(bare);
    return value === undefined ? undefined : { family: 4, value };
  }
  const value = parseIpv6(bare);
  if (value === undefined) return undefined;
  return value >> 32n === 0xffffn ? { family: 4, value: value & LOW_32 } : { family: 6, value };
}

/** `10.0.0.0/8`, `fd00::/8`, or one address. `undefined`: it is neither, or bits beyond the prefix are set. */
export function parseNetwork(text: string): Network | undefined {
  const [, base = '', length] = /^([^/%]*)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const address = parseAddress(base);
  if (address === undefined) return undefined;
  const bits = BITS[address.family];
  const prefix = length === undefined ? bits : Number(length);
  if (prefix > bits) return undefined;
  const rest = (1n << BigInt(bits - prefix)) - 1n;
  return (address.value & rest) === 0n ? { ...address, prefix } : undefined;
}

export function contains(network: Network, { family, value }: Address): boolean {
  return family === network.family && (value ^ network.value) >> BigInt(BITS[family] - network.prefix) === 0n;
}

/**
 * The IPv4 address that a translator or tunnel would deliver to: NAT64 (RFC 6052, 8215), IPv4-compatible and -translated,
 * 6to4, Teredo, ISATAP. What is closed must not be reached by way of these.
 */
export function embeddedIpv4({ family, value }: Address): Address | undefined {
  if (family === 4) return undefined;
  const low = value & LOW_32;
  const high96 = value >> 32n;
  const isLow =
    (high96 === 0n && value > 1n) ||
    high96 === 0xffff_0000n ||
    high96 === 0x64_ff9bn << 64n ||
    value >> 80n === 0x64_ff9b_0001n ||
    ((value >> 32n) & 0xfdff_ffffn) === 0x5efen;
  if (isLow) return { family: 4, value: low };
  if (value >> 112n === 0x2002n) return { family: 4, value: (value >> 80n) & LOW_32 };
  if (value >> 96n === 0x2001_0000n) return { family: 4, value: low ^ LOW_32 };
  return undefined;
}

export function formatNetwork({ family, value, prefix }: Network): string {
  const [size, count] = family === 4 ? [8n, 4] : [16n, 8];
  const parts = Array.from(
    { length: count },
    (_, i) => (value >> (size * BigInt(count - 1 - i))) & ((1n << size) - 1n),
  );
  if (family === 4) return `${parts.join('.')}/${prefix}`;
  const words = parts.map((part) => part.toString(16)).join(':');
  return `${words.replace(/(^|:)0(:0)+(:|$)/, '::')}/${prefix}`;
}

function parseIpv4(text: string): bigint | undefined {
  if (!/^(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}$/.test(text)) return undefined;
  const parts = text.split('.').map(BigInt);
  return parts.some((part) => part > 255n) ? undefined : parts.reduce((value, part) => (value << 8n) | part, 0n);
}

/** A URL writes an IPv6 address in one way, and so leaves `::` alone to be read here. */
function parseIpv6(text: string): bigint | undefined {
  if (!/^[0-9a-f:.]+$/i.test(text) || !URL.canParse(`http://[${text}]/`)) return undefined;
  const [head = '', tail] = new URL(`http://[${text}]/`).hostname.slice(1, -1).split('::');
  const words = (part: string | undefined) => (part === undefined || part === '' ? [] : part.split(':'));
  const before = words(head);
  const after = words(tail);
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0');
  return [...before, ...zeros, ...after].reduce((value, word) => (value << 16n) | BigInt(`0x${word}`), 0n);
}
