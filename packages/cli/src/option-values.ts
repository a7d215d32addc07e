import type { ServerAddress } from '@muster/contracts/bus';
import { parseDuration } from '@muster/contracts/config';
import { InvalidArgumentError } from 'commander';

/** `30s`, `500ms`, `2m`; a bare number is seconds. @throws InvalidArgumentError saying what would do. */
export function parseDurationMs(text: string): number {
  const durationMs = parseDuration(text);
  if (durationMs === undefined) throw new InvalidArgumentError('Write a time such as 500ms, 30s or 2m.');
  return durationMs;
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

/** `10.0.0.1:4222`, `[::1]:4222` or a name instead. @throws InvalidArgumentError */
export function parseAddress(text: string): ServerAddress {
  const [, host = '', port = ''] = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})$/u.exec(text) ?? [];
  if (port === '' || Number(port) < 1 || Number(port) > 65_535) {
    throw new InvalidArgumentError('Write address:port, such as 10.0.0.1:4222.');
  }
  return { host: host.replace(/^\[|\]$/gu, ''), port: Number(port) };
}
