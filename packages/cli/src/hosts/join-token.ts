/*
 * All that an agent needs to join, in one word that can be pasted. It holds the agent's private keys: whoever reads it is
 * that agent, until its keys are made void.
 */
import { brotliCompressSync, brotliDecompressSync } from 'node:zlib';
import { isId } from '@muster/contracts';
import { CliError } from '../exit-codes.ts';

const PREFIX = 'muster1.';

/** What is said to somebody who gave a join line as an argument, whatever of. */
export const SPOKEN_JOIN_LINE =
  "a join line is taken from stdin or a file only: every user of this machine sees arguments, and the shell keeps them. If that was one, take it for leaked: run 'muster host add <host>' again where the bus runs, which makes it void, and give the new line with: muster join < FILE, muster join --file FILE, or muster join and paste it";

/** Is this word of a command line, or a part of it, a join line? */
export function holdsJoinLine(word: string): boolean {
  return word.includes(PREFIX);
}

export interface Joining {
  readonly environment: string;
  readonly host: string;
  /** Of the bus, as the joining host reaches it. */
  readonly url: string;
  /** Contents of the creds file. */
  readonly creds: string;
  /** PEM texts, for a bus whose certificates are its own. */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string };
}

export function formatJoinToken(joining: Joining): string {
  return PREFIX + brotliCompressSync(JSON.stringify(joining)).toString('base64url');
}

/** Reads a token, also as the last word of a longer line. @throws CliError (usage) */
export function parseJoinToken(text: string): Joining {
  const word = text.trim().split(/\s+/u).at(-1) ?? '';
  const joining = word.startsWith(PREFIX) ? read(word.slice(PREFIX.length)) : undefined;
  if (joining !== undefined) return joining;
  throw new CliError(
    'usage',
    `that is no join line: ${word === '' ? 'it is empty' : 'it is cut short, or something else'}: paste what 'muster host add' has printed, to its end`,
  );
}

function read(encoded: string): Joining | undefined {
  try {
    const value: unknown = JSON.parse(brotliDecompressSync(Buffer.from(encoded, 'base64url')).toString());
    return isJoining(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isJoining(value: unknown): value is Joining {
  const { environment, host, url, creds, tls } = value as Record<string, unknown>;
  const isPem = (name: string) => typeof (tls as Record<string, unknown>)[name] === 'string';
  return (
    typeof environment === 'string' &&
    isId(environment) &&
    typeof host === 'string' &&
    isId(host) &&
    typeof url === 'string' &&
    typeof creds === 'string' &&
    (tls === undefined || ['ca', 'cert', 'key'].every(isPem))
  );
}
