/** Whether a prober may probe an address at all: a loopback address means another machine to everybody else. */

/** Where somebody runs, as far as a loopback address is concerned. */
export interface Place {
  /** Of the agent that runs here or, for a prober, that started it; `undefined` = started by nobody we know. */
  readonly agentId: string | undefined;
  readonly bootId: string;
  /** Inode of the network namespace. */
  readonly networkNamespace: string;
}

export type Reach = { readonly canReach: true } | { readonly canReach: false; readonly reason: string };

const REACHED: Reach = { canReach: true };
const NO_VANTAGE = 'no vantage reaches it';

/** `host` is the last presence of the target's host, `undefined` while it has not been heard. */
export function reachOf(url: string, host: Place | undefined, own: Place): Reach {
  if (!isLoopback(url)) return REACHED;
  if (host === undefined) return unreached('a loopback address, and its host has not been heard');
  if (host.networkNamespace !== own.networkNamespace) return unreached('a loopback address of another host');
  // Namespace numbers repeat from machine to machine: the agent, or else the boot, tells the machines apart.
  const isSameMachine = own.agentId === undefined ? host.bootId === own.bootId : host.agentId === own.agentId;
  return isSameMachine ? REACHED : unreached('a loopback address of another host');
}

function unreached(why: string): Reach {
  return { canReach: false, reason: `${NO_VANTAGE}: ${why}` };
}

/** The hosts of loopback addresses: `localhost` and all below it, 127.0.0.0/8, ::1, and what means any address. */
function isLoopback(url: string): boolean {
  const host = /^[a-z]+:\/\/(?:[^@/?#]*@)?(\[[^\]]*\]|[^:/?#]*)/i.exec(url)?.[1]?.toLowerCase() ?? '';
  return (
    host === 'localhost' ||
    host.endsWith('.localhost') ||
    host.startsWith('127.') ||
    host === '0.0.0.0' ||
    /^\[(::1?|::ffff:(127\..*|7f[0-9a-f]{2}:.*))\]$/.test(host)
  );
}
