import { z } from 'zod';
import { Causes, Count, Epoch, prose, Reason, Reference, ShortText } from '../bounds.ts';
import { Envelope, OrderedEnvelope, Source } from '../envelope.ts';
import { Id } from '../ids.ts';

/** Something happened to an agent, prober or dashboard itself. */
export const ComponentEvent = OrderedEnvelope.extend({
  kind: z
    .enum([
      'started',
      'stopping',
      'stopped',
      'bus-connected',
      'bus-lost',
      'config-loaded',
      'config-refused',
      'gap',
      'problem',
      'recovered',
      'lease-won',
      'lease-lost',
      'host-id-taken',
      'host-forgotten',
      'orphaned-keys-removed',
      'streams-remade',
      'stream-emptied',
      'flood-stopped',
      'unknown',
    ])
    .catch('unknown'),
  reason: Reason,
  causes: Causes,
  /** Which host it is about, when that is not its sender: one that was taken away, whose left keys were removed, or that flooded. */
  host: Id.optional(),
  /** With `gap`: how many messages were given up for want of room. */
  lost: Count.optional(),
});
export type ComponentEvent = z.infer<typeof ComponentEvent>;

/** Who asked what, and what came of it. */
export const AuditRecord = OrderedEnvelope.extend({
  /** Of records, nobody compares it: those of dashboards once counted milliseconds, and are kept for a year. */
  epoch: Count,
  /** As the asker says: a person or a program. */
  actor: prose(200),
  /** Whose signature the question bore: `dashboard/main`. */
  askedBy: Source.optional(),
  verb: ShortText,
  target: prose(400),
  commandId: Reference,
  accepted: z.boolean(),
  reason: Reason,
});
export type AuditRecord = z.infer<typeof AuditRecord>;

/** Who leads: KV bucket `leases`. A lease is alive while its revision changes. */
export const Lease = Envelope.extend({ holder: Id, epoch: Epoch, term: Count });
export type Lease = z.infer<typeof Lease>;
