/*
 * What Muster's own programs need of the keys, where they run as users of their own and can't look into the folder of the
 * keys. The agent lays their folders out, for a group each and with the set-group-id bit (ADR 21): whoever replaces a file
 * there leaves it readable for that group. So new keys need no agent: who makes them puts them there as well.
 */
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { readIfPresent, replaceFile } from '../files/replace-file.ts';
import { type NatsServerOptions, natsServerConfig } from './nats-config.ts';
import { tlsFilesBeside } from './tls.ts';

/** Whose keys the programs of one whole system have. */
export const PROGRAM_IDENTITIES = { 'health-prober': 'prober-main', dashboard: 'dashboard-main' } as const;

export type ProgramName = keyof typeof PROGRAM_IDENTITIES;

/** Where a program of a whole system that runs as a user of its own has everything it needs. */
export function programFolder(stateDir: string, program: ProgramName): string {
  return join(stateDir, 'programs', program);
}

/**
 * The embedded server that runs as a user of its own: it works in `folder` of the state directory, and its configuration
 * names nothing but what lies there.
 */
export const EMBEDDED_SERVER = {
  folder: 'nats',
  configFile: 'embedded.conf',
  storeDir: 'jetstream',
  pidFile: 'nats.pid',
  tlsDir: 'tls',
} as const;

/** Gives the programs whose folders are laid out the keys as they are now. */
export function copyProgramKeys(stateDir: string, keysDir = join(stateDir, 'keys')): void {
  for (const [program, identity] of Object.entries(PROGRAM_IDENTITIES)) {
    const folder = join(programFolder(stateDir, program as ProgramName), 'keys');
    if (!existsSync(folder)) continue;
    const credentials = join(keysDir, `${identity}.creds`);
    for (const file of [credentials, ...Object.values(tlsFilesBeside(credentials))]) copyInto(folder, file);
  }
}

/** Writes what the embedded server needs; with the paths of what was written anew. */
export function writeEmbeddedServerFiles(
  stateDir: string,
  options: Omit<NatsServerOptions, 'storeDir' | 'pidFile'>,
): readonly string[] {
  const { folder, configFile, storeDir, pidFile, tlsDir } = EMBEDDED_SERVER;
  const directory = join(stateDir, folder);
  const { tls, ...rest } = options;
  const written: string[] = [];
  for (const file of Object.values(tls ?? {})) {
    const copy = join(directory, tlsDir, basename(file));
    if (writeIfChanged(copy, readFileSync(file, 'utf8'))) written.push(copy);
  }
  const named = (file: string) => join(tlsDir, basename(file));
  const ownTls = tls && {
    certFile: named(tls.certFile),
    keyFile: named(tls.keyFile),
    caFile: named(tls.caFile),
  };
  const config = natsServerConfig({ ...rest, storeDir, pidFile, ...(ownTls && { tls: ownTls }) });
  const file = join(directory, configFile);
  if (writeIfChanged(file, config)) written.push(file);
  return written;
}

function copyInto(folder: string, file: string): void {
  const text = readIfPresent(file);
  if (text !== undefined) writeIfChanged(join(folder, basename(file)), text);
}

function writeIfChanged(file: string, text: string): boolean {
  if (readIfPresent(file) === text) return false;
  replaceFile(file, text, { mode: 0o640 });
  return true;
}
