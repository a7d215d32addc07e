/*
 * What lies in a state directory, and beside the keys, for everybody who looks there. What only one program keeps for itself,
 * only that program names. The launcher has some of these names as well: it runs before there is anything to import.
 */
import { basename, dirname, join } from 'node:path';

/** Where an embedded nats-server that runs as a user of its own works; its configuration names nothing but what lies there. */
export const SERVER_FOLDER = 'nats';
export const PROGRAMS_FOLDER = 'programs';

/** In the server's folder. */
export const SERVER_FILES = {
  /** Where the server runs as the agent's own user, and with paths from the root on. */
  config: 'nats.conf',
  confinedConfig: 'embedded.conf',
  store: 'jetstream',
  pid: 'nats.pid',
  tls: 'tls',
} as const;

export interface StateLayout {
  readonly keysDir: string;
  /** What prober and dashboard have where they run as users of their own. */
  readonly programsDir: string;
  readonly serverDir: string;
}

export function stateLayout(stateDir: string): StateLayout {
  return {
    keysDir: join(stateDir, 'keys'),
    programsDir: join(stateDir, PROGRAMS_FOLDER),
    serverDir: join(stateDir, SERVER_FOLDER),
  };
}

/** Whose keys the programs of one whole system have. */
export const PROGRAM_IDENTITIES = { 'health-prober': 'prober-main', dashboard: 'dashboard-main' } as const;
export type ProgramName = keyof typeof PROGRAM_IDENTITIES;

/** Where an identity's credentials are: `<directory>/<role>-<id>.creds`. */
export function credentialsFile(
  directory: string,
  { role, id }: { readonly role: string; readonly id: string },
): string {
  return join(directory, `${role}-${id}.creds`);
}

/** Where the certificate and the key of an identity are, and the CA: beside its credentials. */
export function tlsFilesBeside(credentials: string): { caFile: string; certFile: string; keyFile: string } {
  const directory = dirname(credentials);
  const name = basename(credentials, '.creds');
  return {
    caFile: join(directory, 'ca.crt'),
    certFile: join(directory, `${name}.crt`),
    keyFile: join(directory, `${name}.key`),
  };
}

/** Where a key that is being replaced waits until it is dropped. */
export function oldFile(file: string): string {
  return `${file}.old`;
}
