import { z } from 'zod';
import { Labels, prose } from '../bounds.ts';
import { Envelope, MAX_MESSAGE_BYTES, Timestamp } from '../envelope.ts';
import { Id, IdOrNone } from '../ids.ts';
import { AlertState } from './alert.ts';

/*
 * Values that people and the judging prober keep in buckets of their own. Later stages read and write them; what must be
 * there is fixed now, what they add is optional.
 */

/** A name that people gave. */
const Person = z.string().min(1).max(200);
const Hash = z.string().min(1).max(512);

/** One condition on a label of an alert (`host`, `service`, `rule`, `severity` or one of its own); `~` is a regular expression (`Pattern`). */
const Matcher = z.object({
  label: z.string().min(1).max(128),
  operator: z.enum(['=', '!=', '=~', '!~']),
  value: z.string().max(512),
});

/** For how long alerts that meet all matchers are kept quiet, by whom and why. */
const QuietPeriod = Envelope.extend({
  matchers: z.array(Matcher).min(1).max(16),
  startsAt: Timestamp,
  endsAt: Timestamp,
  createdBy: Person,
  comment: prose(1_024),
});

/** KV bucket `silences`: alerts stay as they are, nobody is told. */
export const Silence = QuietPeriod;

/** KV bucket `maintenance`: expected trouble, announced ahead; it may come again. */
export const Maintenance = QuietPeriod.extend({
  /** RFC 5545 recurrence rule, such as `FREQ=WEEKLY;BYDAY=SU`; absent: once. */
  recurrence: z.string().max(512).optional(),
});

/** KV bucket `config`: a configuration in force, and with the bucket's history those before it. */
export const ConfigEntry = Envelope.extend({
  kind: z.enum(['services', 'alerts', 'prober', 'dashboard', 'revocations', 'incarnation', 'unknown']).catch('unknown'),
  /** The host it is for; `_` where it is the environment's. */
  host: IdOrNone,
  /** The file's text; of `revocations` the list as the root has signed it, of `incarnation` JSON. */
  content: z.string().max(MAX_MESSAGE_BYTES),
  /** What came from a file is changed in that file only. */
  origin: z.enum(['file', 'apply', 'dashboard', 'unknown']).catch('unknown'),
  appliedBy: Person,
});
export type ConfigEntry = z.infer<typeof ConfigEntry>;

/** What a person or a token may do: everywhere, or in one environment, on what bears all the labels. */
const GrantedRole = z.object({
  role: z.enum(['viewer', 'operator', 'admin', 'unknown']).catch('unknown'),
  environment: Id.optional(),
  labels: Labels,
});

/** KV bucket `users`. */
export const User = Envelope.extend({
  name: Person,
  roles: z.array(GrantedRole).max(16),
  /** In the format of its algorithm, parameters included; absent for who signs in elsewhere. */
  passwordHash: Hash.optional(),
  isDisabled: z.boolean(),
});

/** KV bucket `tokens`: for programs. The token itself is shown once and kept nowhere. */
export const Token = Envelope.extend({
  name: Person,
  owner: Person,
  tokenHash: Hash,
  roles: z.array(GrantedRole).max(16),
  expiresAt: Timestamp.optional(),
});

/** KV bucket `sessions`: who is signed in. */
export const Session = Envelope.extend({
  user: Person,
  tokenHash: Hash,
  expiresAt: Timestamp,
});

/** KV bucket `views`: what somebody has arranged to look at. */
export const View = Envelope.extend({
  owner: Person,
  name: Person,
  /** The query of the page, as in its address. */
  query: z.string().max(4_096),
});

/** KV bucket `notified`: what was sent to whom about which transition of an alert, so that it is not sent anew. */
export const Notified = Envelope.extend({
  fingerprint: z.string().min(1).max(200),
  state: AlertState,
  receiver: Person,
  /** Fingerprint and transition: who receives a notification twice knows it by this. */
  idempotencyKey: z.string().min(1).max(512),
  sentAt: Timestamp,
});
