import { hostname, userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { embeddedBusUrl, hostIdFrom, isId, type Listen, type TlsFiles } from '@muster/contracts';
import { readAgentFile } from '@muster/contracts/agent-file';
import { tlsFilesFrom } from '@muster/contracts/config';
import { stateLayout } from '@muster/contracts/files';
import { CliError } from './exit-codes.ts';

/** What the options of every command can say; absent ones are undefined. */
export interface Flags {
  readonly url?: string;
  readonly creds?: string;
  readonly env?: string;
}

export interface Settings {
  /** `nats://host:port` addresses of the bus. */
  readonly servers: readonly string[];
  /** They were named, by flag, variable or agent.yaml; else it is the embedded one. */
  readonly isBusGiven: boolean;
  readonly environment: string;
  /** The clone. */
  readonly rootDir: string;
  readonly stateDir: string;
  readonly configDir: string;
  readonly keysDir: string;
  /** Given by flag, variable or agent.yaml; each command has its own default in `keysDir`. */
  readonly credentialsFile?: string;
  /** `bus.tls` of agent.yaml; without it, what lies beside the credentials. */
  readonly tls?: TlsFiles;
  /** Id of the host that this runs on. */
  readonly hostId: string;
  /** Who asks, for the audit. */
  readonly actor: string;
  /** Where the embedded server listens. */
  readonly listen: Listen;
  /** `bus.names` of agent.yaml. */
  readonly names: readonly string[];
}

const DEFAULT_ENVIRONMENT = 'development';

/** The clone that this program is part of: packages/cli/dist/config.js is three folders below it, as src/config.ts is. */
const ROOT_DIR = resolve(import.meta.dirname, '../../..');

/**
 * Flags win over variables, variables over config/agent.yaml, that over the defaults of a clone.
 * @throws CliError (usage) when the environment is no id.
 */
export function readSettings(flags: Flags, env: Readonly<Record<string, string | undefined>>): Settings {
  // An empty variable counts as one that is not set.
  const configDir = resolve(env.MUSTER_CONFIG_DIR || join(ROOT_DIR, 'config'));
  const agent = readAgentFile(configDir);
  const stateDir = resolve(env.MUSTER_STATE_DIR || resolve(ROOT_DIR, agent.stateDir ?? '.muster'));
  const environment = flags.env ?? (env.MUSTER_ENVIRONMENT || agent.environment || DEFAULT_ENVIRONMENT);
  if (!isId(environment)) {
    throw new CliError('usage', `'${environment}' is not an environment: write 1 to 63 of a-z, 0-9, _ and -`);
  }
  const url = flags.url ?? (env.MUSTER_BUS_URL || agent.busUrl);
  const creds = flags.creds ?? env.MUSTER_BUS_CREDENTIALS;
  return {
    servers: url === undefined ? [embeddedBusUrl(agent.listen)] : url.split(',').map((server) => server.trim()),
    isBusGiven: url !== undefined,
    environment,
    rootDir: ROOT_DIR,
    stateDir,
    configDir,
    keysDir: stateLayout(stateDir).keysDir,
    ...(creds !== undefined && creds !== '' && { credentialsFile: resolve(creds) }),
    hostId: env.MUSTER_HOST || agent.host || hostIdFrom(hostname()),
    ...(agent.tls !== undefined && { tls: tlsFilesFrom(agent.tls, ROOT_DIR) }),
    actor: actorName(),
    listen: agent.listen,
    names: agent.names,
  };
}

function actorName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run as a user id that has no name.
    return `uid-${process.getuid?.() ?? 'unknown'}`;
  }
}
