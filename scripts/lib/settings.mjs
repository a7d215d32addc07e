import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * @typedef {object} Listen
 * @property {string} host
 * @property {number} port
 */

/**
 * @typedef {object} Settings what the start must know before the agent reads its own configuration
 * @property {Listen} bus where the embedded NATS server will listen
 * @property {string | undefined} externalBus address of a bus that somebody else runs: then there is no embedded one
 * @property {Listen} dashboard
 * @property {string | undefined} stateDir as written
 */

/** @type {Settings} */
const DEFAULTS = {
  bus: { host: '127.0.0.1', port: 4222 },
  externalBus: undefined,
  dashboard: { host: '127.0.0.1', port: 8003 },
  stateDir: undefined,
};

/**
 * Reads `bus` and `state_dir` of agent.yaml and `listen` of dashboard.yaml. What is absent or malformed counts as the default here:
 * the programs that own those files refuse them with line and column.
 *
 * @param {string} configDir
 * @returns {Promise<Settings>}
 */
export async function readSettings(configDir) {
  // Imported here and not above: this module is loaded before `npm ci` has run.
  const { parse } = await import('yaml');
  const load = (/** @type {string} */ name) => {
    try {
      return parse(readFileSync(join(configDir, name), 'utf8'));
    } catch {
      return undefined;
    }
  };
  const agent = load('agent.yaml');
  return {
    bus: parseListen(agent?.bus?.listen, DEFAULTS.bus),
    externalBus: asText(agent?.bus?.url),
    stateDir: asText(agent?.state_dir),
    dashboard: parseListen(load('dashboard.yaml')?.listen, DEFAULTS.dashboard),
  };
}

/** @param {unknown} value */
function asText(value) {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/**
 * @param {unknown} value `host:port`, `[::1]:port`, `:port` (every address) or a port
 * @param {Listen} fallback also for a host or port that is not given
 * @returns {Listen}
 */
export function parseListen(value, fallback) {
  const text = typeof value === 'string' || typeof value === 'number' ? String(value) : '';
  const match = /^(?:(?<host>\[[0-9a-fA-F:.]+\]|[^:\s]*):)?(?<port>\d{1,5})$/.exec(text);
  const port = Number(match?.groups?.port);
  if (!match || port < 1 || port > 65_535) return fallback;
  const host = match.groups?.host;
  if (host === undefined) return { host: fallback.host, port };
  return { host: host === '' ? '0.0.0.0' : host.replace(/^\[|\]$/g, ''), port };
}

/** @param {string} host */
export function isLoopback(host) {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}
