/**
 * Whether a prober may probe an address at all. A loopback address means another machine to everybody else; some others
 * mean whatever stands next to the prober. Who names a target is an agent, and one may be stolen.
 */
import {
  type Address,
  contains,
  embeddedIpv4,
  formatNetwork,
  type Network,
  parseAddress,
  parseNetwork,
} from './address.ts';

/** Where somebody runs, as far as a loopback address is concerned. */
export interface Place {
  /** Of the agent that runs here or, for a prober, that started it; `undefined` = started by nobody we know. */
  readonly agentId: string | undefined;
  readonly bootId: string;
  /** Inode of the network namespace. */
  readonly networkNamespace: string;
}

export function isSamePlace(a: Place, b: Place | undefined): boolean {
  return a.agentId === b?.agentId && a.bootId === b?.bootId && a.networkNamespace === b?.networkNamespace;
}

/** What is configured: of all networks that an address is in the narrowest decides, and of two equal ones `deny`. */
export interface TargetRules {
  readonly allow: readonly Network[];
  readonly deny: readonly Network[];
}

export type Reach = { readonly canReach: true } | { readonly canReach: false; readonly reason: string };

const REACHED: Reach = { canReach: true };

/** Closed unless `allow` names them at least as narrowly. Metadata: what clouds answer there are keys of the machine. */
const CLOSED: readonly (readonly [what: string, networks: readonly Network[]])[] = [
  ['a link-local address', networks('169.254.0.0/16', 'fe80::/10')],
  ['a multicast address', networks('224.0.0.0/4', 'ff00::/8')],
  ['the broadcast address', networks('255.255.255.255')],
  [
    'an address of cloud metadata',
    [
      ...networks('100.100.100.200', '168.63.129.16', '192.0.0.192'),
      ...networks('fd00:ec2::/32', 'fd00:c1::a9fe:a9fe', 'fd00:42::42', 'fd20:ce::254'),
    ],
  ],
];

/** A connection to the unspecified address is one to loopback. */
const LOOPBACK = networks('127.0.0.0/8', '0.0.0.0/8', '::1', '::');

/** As far as the URL itself says; what a name resolves to is judged by `whyNotAddress`, before each connection. */
export function reachOf(url: string, host: Place | undefined, own: Place, rules: TargetRules): Reach {
  // A URL writes each IPv4 address in one way only, whichever way it was written before.
  const name = URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, '').replace(/\.+$/, '') : '';
  const isAddress = parseAddress(name) !== undefined;
  const isLocalName = name === 'localhost' || name.endsWith('.localhost');
  const why = isAddress ? whyNotAddress(name, host, own, rules) : isLocalName ? whyNotLoopback(host, own) : undefined;
  return why === undefined ? REACHED : { canReach: false, reason: noVantage(why) };
}

/** Why nothing of `host` is probed at this address. `host`: its last presence, `undefined` while it has not been heard. */
export function whyNotAddress(
  text: string,
  host: Place | undefined,
  own: Place,
  rules: TargetRules,
): string | undefined {
  const address = parseAddress(text);
  if (address === undefined) return 'no address';
  const inner = embeddedIpv4(address);
  return whyNotOne(address, host, own, rules) ?? (inner === undefined ? undefined : whyNotOne(inner, host, own, rules));
}

/** Loopback is decided by where the prober runs, not by a rule: such an entry of `targets` would do nothing. */
export function isInLoopback(network: Network): boolean {
  return LOOPBACK.some((loopback) => loopback.prefix <= network.prefix && contains(loopback, network));
}

export function noVantage(why: string): string {
  return `no vantage reaches it: ${why}`;
}

function whyNotOne(address: Address, host: Place | undefined, own: Place, rules: TargetRules): string | undefined {
  if (narrowest(LOOPBACK, address) !== undefined) return whyNotLoopback(host, own);
  const denied = narrowest(rules.deny, address);
  const allowed = narrowest(rules.allow, address);
  if (denied !== undefined && denied.prefix >= (allowed?.prefix ?? 0)) {
    return `in ${formatNetwork(denied)}, which 'targets.deny' closes`;
  }
  for (const [what, closed] of CLOSED) {
    const network = narrowest(closed, address);
    if (network === undefined) continue;
    const isOpen = allowed !== undefined && allowed.prefix >= network.prefix;
    return isOpen ? undefined : `${what}, which 'targets.allow' does not open`;
  }
  return undefined;
}

function whyNotLoopback(host: Place | undefined, own: Place): string | undefined {
  if (host === undefined) return 'a loopback address, and its host has not been heard';
  // Namespace numbers repeat from machine to machine: the agent, or else the boot, tells the machines apart.
  const isSameMachine = own.agentId === undefined ? host.bootId === own.bootId : host.agentId === own.agentId;
  const isHere = isSameMachine && host.networkNamespace === own.networkNamespace;
  return isHere ? undefined : 'a loopback address of another host';
}

function narrowest(networks: readonly Network[], address: Address): Network | undefined {
  let found: Network | undefined;
  for (const network of networks) {
    if (contains(network, address) && network.prefix >= (found?.prefix ?? 0)) found = network;
  }
  return found;
}

function networks(...texts: readonly string[]): readonly Network[] {
  return texts.flatMap((text) => parseNetwork(text) ?? []);
}
