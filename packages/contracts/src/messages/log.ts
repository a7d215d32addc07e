import { z } from 'zod';
import { AnyValue } from '../any-value.ts';
import { boundedRecord, Count, MAX_LINE_CHARS, Reason } from '../bounds.ts';
import { OrderedEnvelope, Timestamp } from '../envelope.ts';
import { InstanceRef } from './service.ts';

/** From the least to the most severe. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
export type LogLevelName = (typeof LOG_LEVELS)[number];

const LogLevel = z.enum([...LOG_LEVELS, 'unknown']).catch('unknown');

export const LogStream = z.enum(['stdout', 'stderr']);
export type LogStream = z.infer<typeof LogStream>;

/** One line of a service. */
export const LogLine = z.object({
  /** The line's own time where it has one, else when it was written, as exactly as the host knows. */
  time: Timestamp,
  stream: LogStream,
  /** Byte offset of the line's start in its log file. */
  offset: Count,
  /** Absent: the line does not say. */
  level: LogLevel.optional(),
  text: z.string().max(MAX_LINE_CHARS),
  /** What else a line in JSON says, beside time, level and message. */
  fields: boundedRecord(AnyValue, 64, z.string().max(MAX_LINE_CHARS)).optional(),
  /** Its rest follows as a line of its own: it is too long for one, or its end had not been written yet. */
  partial: z.boolean().optional(),
});
export type LogLine = z.infer<typeof LogLine>;

/** A stretch of a log file that is not in the stream. */
export const LogGap = z.object({
  stream: LogStream,
  /** Where in its log file it begins. */
  offset: Count,
  bytes: Count,
  /** Absent: they were gone before anybody could count them. */
  lines: Count.optional(),
  reason: Reason,
});
export type LogGap = z.infer<typeof LogGap>;

/** Lines of one instance, in order per stream. What was left out is counted: together they cover each byte once. */
export const LogBatch = OrderedEnvelope.extend({
  ...InstanceRef.shape,
  /** The run that wrote them, as far as the agent could tell. */
  generation: Count,
  lines: z.array(LogLine).max(10_000),
  gaps: z.array(LogGap).max(1_000),
});
export type LogBatch = z.infer<typeof LogBatch>;
