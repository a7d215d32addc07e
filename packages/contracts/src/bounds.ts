/*
 * How long, how many, how much: every text, list, map and number of the wire has a maximum, so that nobody who reads it can
 * be filled or kept busy by one message. A test walks all schemas and finds the one that has none.
 */
import { z } from 'zod';

/** A sentence for people: why something is as it is. */
const REASON_BYTES = 4_096;
/** No count, size, rate or age that is real comes near it, and sums of it are still exact. */
const MUCH = 1e15;
/** 2100-01-01 in Unix seconds: epochs are the second of a start, or one more than the last. */
const MAX_EPOCH = 4_102_444_800;
/** So many starts are left to a host whose clock is beyond it. */
const RESERVED_EPOCHS = 1_000_000;

/** What a spec may ask for, and so what is ever looked at of one service. */
export const MAX_INSTANCES = 1_000;
/** In services.yaml. The agent's own come on top. */
export const MAX_SERVICES = 500;
/** Of one host, its own services included: what there is more is counted, and not looked at. */
export const MAX_SERVICES_PER_HOST = 512;
export const MAX_INSTANCES_PER_HOST = 2_000;
export const MAX_ENVIRONMENT_NAMES = 256;
export const MAX_DEPENDENCIES = 64;
export const MAX_LABELS = 32;
/** As JSON. */
export const MAX_LABEL_BYTES = 256;
export const MAX_URL_CHARS = 2_000;
/** A line of a log that is longer goes on in a next one. */
export const MAX_LINE_CHARS = 16 * 1024;

/** A key of a map that is a name: of a label or an environment variable. */
const Name = z.string().min(1).max(128);

/** One byte for each character, as most texts are: found out much faster than counted. */
const PLAIN = /^[ !#-[\]-~]*$/;

/** How many bytes `text` has as JSON in UTF-8, without its quotes. */
export function jsonBytes(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let bytes = 0;
  for (const character of text) bytes += bytesOf(character);
  return bytes;
}

function bytesOf(character: string): number {
  const code = character.codePointAt(0) ?? 0;
  if (code === 0x22 || code === 0x5c) return 2;
  // As an escape; half a surrogate pair too.
  if (code < 0x20 || (code >= 0xd800 && code < 0xe000)) return 6;
  if (code < 0x80) return 1;
  if (code < 0x800) return 2;
  return code < 0x1_0000 ? 3 : 4;
}

/** As much of the text as has room, with a mark that there was more. */
export function cutText(text: string, maxBytes: number): string {
  // No character has more than six: what is that short is not looked at.
  if (text.length * 6 <= maxBytes || (text.length <= maxBytes && jsonBytes(text) <= maxBytes)) return text;
  let bytes = bytesOf('…');
  let kept = '';
  for (const character of text) {
    bytes += bytesOf(character);
    if (bytes > maxBytes) break;
    kept += character;
  }
  return `${kept}…`;
}

/**
 * Text for people. It may quote anything, such as a configured path or what a program said, so no sender can promise to keep
 * it short: it is cut where it is sent, and again where it is read.
 */
export function prose(maxBytes: number) {
  return z
    .string()
    .overwrite((text) => cutText(text, maxBytes))
    .max(maxBytes);
}

/** Why something is as it is. */
export const Reason = prose(REASON_BYTES);

/** What names a thing that was made elsewhere, such as a message: visible ASCII without quotes. */
export const Reference = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[ !#-[\]-~]+$/, 'must be printable ASCII without quotes');

/** Ids of the events, commands or verdicts behind something. */
export const Causes = z.array(Reference).max(32);

/** Short text of a program's own making. */
export const ShortText = z.string().max(200);

export const Epoch = z.int().min(0).max(MAX_EPOCH);
/**
 * The epoch of the next start: later than the last one, and the second of it where the clock can be right. What is absurd, on
 * the clock or left on disk by one that was, does not count: nobody would take a message of such an epoch.
 */
export function nextEpoch(last: number, unixSeconds: number): number {
  const known = last < MAX_EPOCH ? last : 0;
  return Math.max(known + 1, Math.min(unixSeconds, MAX_EPOCH - RESERVED_EPOCHS));
}

export const Seq = z.int().min(0).max(MUCH);
export const Count = z.int().min(0).max(MUCH);
/** Not negative: a size, a rate, a share, an age. */
export const Amount = z.number().min(0).max(MUCH);
/** Any number that is not absurd. */
export const AnyNumber = z.number().min(-MUCH).max(MUCH);

/** A map with at most so many keys. */
export function boundedRecord<V extends z.ZodType>(value: V, maxKeys: number, key: z.ZodString = Name) {
  return z
    .record(key, value)
    .refine((record) => Object.keys(record).length <= maxKeys, `must have at most ${maxKeys} keys`)
    .meta({ maxProperties: maxKeys });
}

export const Labels = boundedRecord(prose(MAX_LABEL_BYTES), MAX_LABELS);
