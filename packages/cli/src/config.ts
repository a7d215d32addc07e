import { existsSync, readFileSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { embeddedBusUrl, hostIdFrom, isId, type Listen, type TlsFiles } from '@muster/contracts';
import { tlsFilesFrom } from '@muster/contracts/config';
import { stateLayout } from '@muster/contracts/files';
import { parse } from 'yaml';
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

const DEFAULT_LISTEN: Listen = { host: '127.0.0.1', port: 4222 };
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
  const agent = readAgentFile(join(configDir, 'agent.yaml'));
  const stateDir = resolve(env.MUSTER_STATE_DIR || resolve(ROOT_DIR, agent.stateDir ?? '.muster'));
  const environment = flags.env ?? (env.MUSTER_ENVIRONMENT || agent.environment || DEFAULT_ENVIRONMENT);
  if (!isId(environment)) {
    throw new CliError('usage', `'${environment}' is not an environment: write 1 to 63 of a-z, 0-9, _ and -`);
  }
  const listen = parseListen(agent.listen) ?? DEFAULT_LISTEN;
  const url = flags.url ?? (env.MUSTER_BUS_URL || agent.url);
  const creds = flags.creds ?? env.MUSTER_BUS_CREDENTIALS;
  return {
    servers: url === undefined ? [embeddedBusUrl(listen)] : url.split(',').map((server) => server.trim()),
    isBusGiven: url !== undefined,
    environment,
    rootDir: ROOT_DIR,
    stateDir,
    configDir,
    keysDir: stateLayout(stateDir).keysDir,
    ...(creds !== undefined && creds !== '' && { credentialsFile: resolve(creds) }),
    hostId: env.MUSTER_HOST || agent.host || hostIdFrom(hostname()),
    ...(agent.tls !== undefined && { tls: agent.tls }),
    actor: actorName(),
    listen,
    names: agent.names ?? [],
  };
}

interface AgentFile {
  readonly url?: string;
  readonly listen?: string;
  readonly environment?: string;
  readonly host?: string;
  readonly stateDir?: string;
  readonly tls?: TlsFiles;
  readonly names?: readonly string[];
}

/** What of agent.yaml matters here. The agent owns that file and refuses what is wrong in it, with its line. */
function readAgentFile(path: string): AgentFile {
  if (!existsSync(path)) return {};
  let file: unknown;
  try {
    file = parse(readFileSync(path, 'utf8'));
  } catch {
    return {};
  }
  const bus = fieldOf(file, 'bus');
  const fields = {
    url: textOf(fieldOf(bus, 'url')),
    listen: textOf(fieldOf(bus, 'listen')),
    environment: textOf(fieldOf(file, 'environment')),
    host: textOf(fieldOf(file, 'host')),
    stateDir: textOf(fieldOf(file, 'state_dir')),
    tls: tlsOf(fieldOf(bus, 'tls')),
    names: textsOf(fieldOf(bus, 'names')),
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function fieldOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

function textsOf(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) ? value.map(textOf).filter((text) => text !== undefined) : undefined;
}

/** Relative paths start at the clone, where the agent runs. */
function tlsOf(value: unknown): TlsFiles | undefined {
  if (value === undefined) return undefined;
  const [ca, cert, key] = ['ca', 'cert', 'key'].map((name) => textOf(fieldOf(value, name)));
  return tlsFilesFrom({ ca, cert, key }, ROOT_DIR);
}

/** `host:port`, `[::1]:port`, `:port` (every address) or a port, as in agent.yaml. */
function parseListen(text: string | undefined): Listen | undefined {
  const match = /^(?:(\[[0-9a-fA-F:.]+\]|[^:\s]*):)?(\d{1,5})$/u.exec(text ?? '');
  if (match === null) return undefined;
  const [, host = DEFAULT_LISTEN.host, port] = match;
  return { host: host === '' ? '0.0.0.0' : host.replace(/^\[|\]$/gu, ''), port: Number(port) };
}

function actorName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run as a user id that has no name.
    return `uid-${process.getuid?.() ?? 'unknown'}`;
  }
}
