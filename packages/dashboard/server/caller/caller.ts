import type { IncomingHttpHeaders } from 'node:http';
import { RequestError } from '../errors.ts';
import type { Users } from '../users.ts';
import type { PeerAccount } from './peers.ts';
import type { Right } from './rights.ts';

/** Who asks. Without sign-in there are two kinds: owners may do everything, strangers nothing. */
export type Caller = Owner | Stranger;

export interface Owner {
  readonly kind: 'owner';
  /** For the audit: `kim (uid 1000)`. */
  readonly actor: string;
}

export interface Stranger {
  readonly kind: 'stranger';
  /** A sentence for the caller. */
  readonly why: string;
}

export interface Owners {
  readonly uids: readonly number[];
  readonly users: Users;
}

/** What proxies add. Behind one it isn't known who asks: the account is the proxy's. */
const PROXY_HEADER =
  /^(?:forwarded|via|client-ip|true-client-ip|remote-user|cdn-loop|fastly-.+|cf-.+|tailscale-.+|proxy-.+|x-(?:forwarded|real|client|cluster-client|original|originating|remote|proxy|envoy|arr|azure|appengine|amzn|amz-cf)(?:-.+)?)$/;

const SHOWN_OWNERS = 5;
const MAX_SHOWN_CHARS = 40;

/** The one place that decides who a request or a socket is from. */
export function authenticate(headers: IncomingHttpHeaders, peer: PeerAccount, { uids, users }: Owners): Caller {
  const proxied = Object.keys(headers).find((name) => PROXY_HEADER.test(name.replaceAll('_', '-')));
  if (proxied !== undefined) {
    const why = `the request came through a proxy (${proxied.slice(0, MAX_SHOWN_CHARS)}), and who asks there is not known without sign-in`;
    return { kind: 'stranger', why: `${why}: use http://127.0.0.1 directly, or ssh -L from another machine` };
  }
  if (peer.uid !== undefined && uids.includes(peer.uid)) return { kind: 'owner', actor: users.named(peer.uid) };
  const names = uids.slice(0, SHOWN_OWNERS).map((uid) => users.named(uid));
  const more = uids.length > SHOWN_OWNERS ? ` and ${uids.length - SHOWN_OWNERS} more` : '';
  const who = peer.uid === undefined ? peer.reason : `you are ${users.named(peer.uid)}`;
  return {
    kind: 'stranger',
    why: `this dashboard answers ${names.join(', ')}${more} only; ${who}: ask as one of them, or have your account named under 'owners' in config/dashboard.yaml`,
  };
}

/** @throws RequestError `not-an-owner` */
export function checkRight(caller: Caller, right: Right): void {
  if (right !== 'none' && caller.kind === 'stranger') throw new RequestError('not-an-owner', caller.why);
}

/** For a route that needs the right to act. @throws RequestError `not-an-owner` */
export function actorOf(caller: Caller): string {
  if (caller.kind === 'stranger') throw new RequestError('not-an-owner', caller.why);
  return caller.actor;
}
