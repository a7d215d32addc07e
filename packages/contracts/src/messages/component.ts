import { z } from 'zod';
import { Envelope, OrderedEnvelope } from '../envelope.ts';
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
      'ghosts-removed',
      'streams-remade',
      'stream-emptied',
      'flood-stopped',
      'unknown',
    ])
    .catch('unknown'),
  reason: z.string(),
  causes: z.array(z.string()).max(32),
  /** Which host it is about, when that is not its sender: one that was taken away, whose left keys were removed, or that flooded. */
  host: Id.optional(),
  /** With `gap`: how many messages were given up for want of room. */
  lost: z.int().min(0).optional(),
});
export type ComponentEvent = z.infer<typeof ComponentEvent>;

/** Who asked what, and what came of it. */
export const AuditRecord = OrderedEnvelope.extend({
  /** As the asker says: a person or a program. */
  actor: z.string(),
  /** Whose signature the question bore: `dashboard/main`. */
  askedBy: z.string().optional(),
  verb: z.string(),
  target: z.string(),
  commandId: z.string(),
  accepted: z.boolean(),
  reason: z.string(),
});
export type AuditRecord = z.infer<typeof AuditRecord>;

/** Who leads: KV bucket `leases`. A lease is alive while its revision changes. */
export const Lease = Envelope.extend({ holder: z.string(), epoch: z.int().min(0), term: z.int().min(0) });
export type Lease = z.infer<typeof Lease>;
