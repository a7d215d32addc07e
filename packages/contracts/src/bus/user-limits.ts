import type { User } from '@nats-io/jwt';
import { MAX_HEADER_BYTES, MAX_MESSAGE_BYTES } from '../envelope.ts';
import type { Role } from '../roles.ts';

/**
 * How many subscriptions one connection may hold. The server keeps some kilobytes for each: who has no need of many is not
 * given them. An agent has one for each command; those who read open one for each bucket, stream and page.
 */
const MAX_SUBSCRIPTIONS: Readonly<Record<Role, number>> = {
  agent: 100,
  observer: 50,
  monitor: 50,
  operator: 1_000,
  prober: 2_000,
  dashboard: 5_000,
  admin: 5_000,
};

/** What nats-server holds each connection of a role to. */
export function userLimits(role: Role): Pick<User, 'subs' | 'data' | 'payload'> {
  return { subs: MAX_SUBSCRIPTIONS[role], data: -1, payload: MAX_MESSAGE_BYTES + MAX_HEADER_BYTES };
}
