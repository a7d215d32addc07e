import { isId } from '@muster/contracts';
import type { ServerAddress } from '@muster/contracts/bus';
import { parseDuration } from '@muster/contracts/config';
import { InvalidArgumentError } from 'commander';

/** `30s`, `500ms`, `2m`; a bare number is seconds. @throws InvalidArgumentError saying what would do. */
export function parseDurationMs(text: string): number {
  const durationMs = parseDuration(text);
  if (durationMs === undefined) throw new InvalidArgumentError('Write a time such as 500ms, 30s or 2m.');
  return durationMs;
}

/** @throws InvalidArgumentError saying what would do. */
export function parseId(text: string): string {
  if (!isId(text)) throw new InvalidArgumentError('Write 1 to 63 of a-z, 0-9, _ and -.');
  return text;
}

const MAX_COUNT = 10_000;

/** A whole number from 1 to 10,000. @throws InvalidArgumentError */
export function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > MAX_COUNT) {
    throw new InvalidArgumentError(`Write a whole number from 1 to ${MAX_COUNT}.`);
  }
  return count;
}

/** An age such as `1h`, or an RFC 3339 time. @throws InvalidArgumentError */
export function parseMoment(text: string): Date {
  const ageMs = parseDuration(text);
  const at = ageMs === undefined ? new Date(text) : new Date(Date.now() - ageMs);
  if (Number.isNaN(at.getTime())) {
    throw new InvalidArgumentError('Write an age such as 30s, 15m or 1h, or a time such as 2026-03-01T12:00:00Z.');
  }
  return at;
}

/** @throws InvalidArgumentError */
export function parseRegex(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (error) {
    throw new InvalidArgumentError(`${(error as Error).message}.`);
  }
}

/** `10.0.0.1:4222`, `[::1]:4222` or a name instead. @throws InvalidArgumentError */
export function parseAddress(text: string): ServerAddress {
  const [, host = '', port = ''] = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})$/u.exec(text) ?? [];
  if (port === '' || Number(port) < 1 || Number(port) > 65_535) {
    throw new InvalidArgumentError('Write address:port, such as 10.0.0.1:4222.');
  }
  return { host: host.replace(/^\[|\]$/gu, ''), port: Number(port) };
}
