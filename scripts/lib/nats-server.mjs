import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { aptInstall, fetchPackage, findProgram } from './apt.mjs';
import { Refusal } from './refusal.mjs';
import { run } from './run.mjs';
import { isLoopback } from './settings.mjs';

/** Debian 12's. Older ones lack what the streams need. */
const MIN_VERSION = '2.9.0';
/** Older ones have known holes in authentication and JetStream, which only a bus on loopback may live with. */
const MIN_OPEN_VERSION = '2.10.27';
const NEWER_SUITES = ['forky', 'sid', 'trixie'];

/**
 * @typedef {object} NatsServer
 * @property {string} path
 * @property {string} version
 * @property {boolean} isNew just installed
 */

/**
 * Finds a nats-server that is good enough for where the bus listens, or installs one.
 *
 * @param {{ rootDir: string, env: NodeJS.ProcessEnv, busHost: string, isRoot: boolean, onInstall: () => void }} options
 * @param {AbortSignal} signal
 * @returns {Promise<NatsServer>}
 * @throws {Refusal} with the exact command to type
 */
export async function ensureNatsServer({ rootDir, env, busHost, isRoot, onInstall }, signal) {
  const minVersion = isLoopback(busHost) ? MIN_VERSION : MIN_OPEN_VERSION;
  const ownDir = join(rootDir, '.muster/bin');
  const ownPath = join(ownDir, 'nats-server');

  /** @returns {Promise<NatsServer | undefined>} */
  const find = async () => {
    const candidates = env.MUSTER_NATS_SERVER ? [env.MUSTER_NATS_SERVER] : [findProgram('nats-server', env), ownPath];
    for (const path of candidates) {
      const version = path !== undefined && existsSync(path) ? await readVersion(path, env, signal) : undefined;
      if (path !== undefined && version !== undefined && isAtLeast(version, minVersion))
        return { path, version, isNew: false };
    }
    return undefined;
  };

  const found = await find();
  if (found) return found;
  if (env.MUSTER_NATS_SERVER) {
    throw new Refusal(
      `MUSTER_NATS_SERVER=${env.MUSTER_NATS_SERVER} is not a nats-server >= ${minVersion}: unset it or correct it`,
    );
  }
  onInstall();
  /** @type {string[]} */
  const reasons = [];
  const keepTrying = [
    ...(minVersion === MIN_VERSION ? [() => aptInstall(['nats-server'], { env, isRoot }, signal)] : []),
    ...[...(minVersion === MIN_VERSION ? [undefined] : []), ...NEWER_SUITES].map(
      (suite) => () => fetchOwn({ env, ownDir, ownPath, suite }, signal),
    ),
  ];
  for (const attempt of keepTrying) {
    const outcome = await attempt();
    if (!outcome.ok) reasons.push(outcome.reason);
    const server = outcome.ok ? await find() : undefined;
    if (server) return { ...server, isNew: true };
    signal.throwIfAborted();
  }
  throw new Refusal(refuse(minVersion, ownPath, [...new Set(reasons)].join('; ')));
}

/**
 * @param {string} minVersion
 * @param {string} ownPath
 * @param {string} reasons
 */
function refuse(minVersion, ownPath, reasons) {
  const why = `no nats-server >= ${minVersion} on PATH or at ${ownPath}, and it could not be installed (${reasons})`;
  return minVersion === MIN_VERSION
    ? `${why}: type \`sudo apt-get update && sudo apt-get install -y nats-server\``
    : `${why}: put a newer one there, or set \`bus.listen\` in config/agent.yaml to a loopback address`;
}

/**
 * Brings a nats-server of its own into the clone.
 * @param {{ env: NodeJS.ProcessEnv, ownDir: string, ownPath: string, suite: string | undefined }} options
 * @param {AbortSignal} signal
 */
async function fetchOwn({ env, ownDir, ownPath, suite }, signal) {
  const unpacked = join(ownDir, 'unpacked');
  mkdirSync(ownDir, { recursive: true });
  try {
    const outcome = await fetchPackage(
      'nats-server',
      { env, intoDir: unpacked, ...(suite === undefined ? {} : { suite }) },
      signal,
    );
    if (outcome.ok) renameSync(join(unpacked, 'usr/sbin/nats-server'), ownPath);
    return outcome;
  } finally {
    rmSync(unpacked, { recursive: true, force: true });
  }
}

/**
 * @param {string} path
 * @param {NodeJS.ProcessEnv} env
 * @param {AbortSignal} signal
 * @returns {Promise<string | undefined>} undefined when it does not run or says something else
 */
async function readVersion(path, env, signal) {
  const { code, output } = await run(path, ['--version'], { env }, signal);
  return code === 0 ? /v(\d+\.\d+\.\d+)/.exec(output)?.[1] : undefined;
}

/**
 * @param {string} version like `2.10.27`
 * @param {string} minVersion
 */
export function isAtLeast(version, minVersion) {
  const [have, want] = [version, minVersion].map((text) => text.split('.').map(Number));
  for (const [index, wanted] of (want ?? []).entries()) {
    const had = have?.[index] ?? 0;
    if (had !== wanted) return had > wanted;
  }
  return true;
}
