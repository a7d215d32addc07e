/**
 * What others than the agent need of agent.yaml: the launcher, which starts the agent, and the CLI. What is absent or malformed
 * counts as the default here, for the agent refuses it, with line and column.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { isLoopbackHost, type Listen, parseListen } from '../bus-address.ts';

export { isLoopbackHost };

/** Texts as written: relative paths start at the clone. */
export interface AgentFile {
  readonly environment?: string;
  readonly host?: string;
  readonly stateDir?: string;
  /** Where the embedded nats-server listens. */
  readonly listen: Listen;
  /** The bus of somebody else: then there is no embedded one. */
  readonly busUrl?: string;
  readonly tls?: { readonly [file in 'ca' | 'cert' | 'key']?: string | undefined };
  readonly names: readonly string[];
}

const DEFAULT_LISTEN: Listen = { host: '127.0.0.1', port: 4222 };

/** Never throws. */
export function readAgentFile(configDir: string): AgentFile {
  const file = parseFile(join(configDir, 'agent.yaml'));
  const bus = fieldOf(file, 'bus');
  const tls = fieldOf(bus, 'tls');
  const texts = {
    environment: textOf(fieldOf(file, 'environment')),
    host: textOf(fieldOf(file, 'host')),
    stateDir: textOf(fieldOf(file, 'state_dir')),
    busUrl: textOf(fieldOf(bus, 'url')),
  };
  const names = fieldOf(bus, 'names');
  return {
    ...Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== undefined)),
    listen: parseListen(textOf(fieldOf(bus, 'listen')) ?? '') ?? DEFAULT_LISTEN,
    ...(tls !== undefined && {
      tls: { ca: textOf(fieldOf(tls, 'ca')), cert: textOf(fieldOf(tls, 'cert')), key: textOf(fieldOf(tls, 'key')) },
    }),
    names: Array.isArray(names) ? names.map(textOf).filter((text) => text !== undefined) : [],
  };
}

function parseFile(path: string): unknown {
  try {
    return parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

function fieldOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}

function textOf(value: unknown): string | undefined {
  return (typeof value === 'string' && value !== '') || typeof value === 'number' ? String(value) : undefined;
}
