import { isIP } from 'node:net';
import { isAbsolute } from 'node:path';
import { isId, isLoopbackHost } from '@muster/contracts';
import { parseDuration } from '@muster/contracts/config';
import type { ServerAddress } from '@muster/contracts/keys';
import { Pattern } from '@muster/contracts/pattern';
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
export function parsePattern(text: string): Pattern {
  try {
    return new Pattern(text);
  } catch (error) {
    throw new InvalidArgumentError(`${(error as Error).message}.`);
  }
}

/** Where a server listens, or is reached. */
export interface Address extends ServerAddress {
  /** Always on more than loopback; there where `tls://` says so. */
  readonly isTls: boolean;
}

/** `10.0.0.1:4222`, `[::1]:4222` or a name instead, and `tls://` before it or not. @throws InvalidArgumentError */
export function parseAddress(text: string): Address {
  const [, scheme, address = '', digits = ''] =
    /^(tls:\/\/)?(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})$/u.exec(text) ?? [];
  const port = Number(digits);
  if (port < 1 || port > 65_535) throw new InvalidArgumentError('Write address:port, such as 10.0.0.1:4222.');
  const host = address.replace(/^\[|\]$/gu, '');
  return { host, port, isTls: scheme !== undefined || !isLoopbackHost(host) };
}

/** @throws InvalidArgumentError */
export function parseHostName(text: string): string {
  if (isIP(text) === 0 && !/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/u.test(text)) {
    throw new InvalidArgumentError('Write a name or an address without a port, such as db1.example.org.');
  }
  return text;
}

/** @throws InvalidArgumentError */
export function parseAbsoluteFolder(text: string): string {
  if (!isAbsolute(text)) throw new InvalidArgumentError('Write the whole path, such as /etc/muster.');
  return text;
}
