import { z } from 'zod';
import { AnyValue } from '../any-value.ts';
import { OrderedEnvelope, Timestamp } from '../envelope.ts';
import { InstanceRef } from './service.ts';

export const LogLevel = z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'unknown']).catch('unknown');

/** Lines of one instance, in order. What was left out is counted in `gap`. */
export const LogBatch = OrderedEnvelope.extend({
  ...InstanceRef.shape,
  generation: z.int().min(0),
  lines: z.array(
    z.object({
      time: Timestamp,
      stream: z.enum(['stdout', 'stderr']),
      /** Byte offset of the line's start in its log file. */
      offset: z.int().min(0),
      level: LogLevel.optional(),
      text: z.string(),
      fields: z.record(z.string(), AnyValue).optional(),
    }),
  ),
  gap: z.object({ lines: z.int().min(0), bytes: z.int().min(0), reason: z.string() }).optional(),
});
export type LogBatch = z.infer<typeof LogBatch>;
