import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { aptInstall, fetchPackage, findProgram, newerSources } from './apt.mjs';
import { Refusal } from './refusal.mjs';
import { run } from './run.mjs';
import { isAtLeast } from './version.mjs';

/** Debian 12's. Older ones lack what the streams need. */
const MIN_VERSION = '2.9.0';
/**
 * The first that refuses calls of JetStream's API which it cannot read. Older ones can be made to send themselves some that take
 * streams away, which only a bus on loopback may live with.
 */
const MIN_OPEN_VERSION = '2.12.0';
/** What to type where apt cannot help: a release with its names for Node's architectures. */
const RELEASE = 'v2.12.7';
/** @type {Record<string, string>} */
const RELEASE_ARCHITECTURES = { x64: 'amd64', arm64: 'arm64', arm: 'arm7' };

/**
 * @typedef {object} NatsServer
 * @property {string} path
 * @property {string} version
 * @property {boolean} isNew just installed
 */

/**
 * Finds a nats-server that is good enough for where the bus listens, or installs one.
 *
 * @param {{ rootDir: string, env: NodeJS.ProcessEnv, isOpen: boolean, isRoot: boolean, sources?: readonly string[], onInstall: () => void }} options
 *   `isOpen`: other hosts reach the bus; `sources`: lines as in sources.list to try after the machine's own
 * @param {AbortSignal} signal
 * @returns {Promise<NatsServer>}
 * @throws {Refusal} with the exact command to type
 */
export async function ensureNatsServer({ rootDir, env, isOpen, isRoot, sources, onInstall }, signal) {
  const minVersion = isOpen ? MIN_OPEN_VERSION : MIN_VERSION;
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
  /** @type {Set<string>} */
  const reasons = new Set();
  let isAptTooOld = false;
  const attempts = [
    () => aptInstall(['nats-server'], { env, isRoot, minVersion }, signal),
    ...[undefined, ...(sources ?? newerSources())].map(
      (source) => () => fetchOwn({ env, ownDir, ownPath, minVersion, source }, signal),
    ),
  ];
  for (const attempt of attempts) {
    const outcome = await attempt();
    signal.throwIfAborted();
    if (outcome.ok) {
      const server = await find();
      if (server) return { ...server, isNew: true };
    } else {
      reasons.add(outcome.reason);
      isAptTooOld ||= outcome.isTooOld === true;
    }
  }
  const canApt = !isOpen && !isAptTooOld && findProgram('apt-get', env) !== undefined;
  throw new Refusal(
    `no nats-server >= ${minVersion} on PATH or at ${ownPath}, and it could not be installed (${[...reasons].join('; ')}): ` +
      `type \`${canApt ? aptCommand(isRoot) : downloadCommand(ownDir)}\`` +
      (isOpen ? ', or set `bus.listen` in config/agent.yaml to a loopback address' : ''),
  );
}

/** @param {boolean} isRoot */
function aptCommand(isRoot) {
  const sudo = isRoot ? '' : 'sudo ';
  return `${sudo}apt-get update && ${sudo}apt-get install -y nats-server`;
}

/** @param {string} dir */
function downloadCommand(dir) {
  const name = `nats-server-${RELEASE}-linux-${RELEASE_ARCHITECTURES[process.arch] ?? process.arch}`;
  const url = `https://github.com/nats-io/nats-server/releases/download/${RELEASE}/${name}.tar.gz`;
  const quoted = `'${dir.replaceAll("'", String.raw`'\''`)}'`;
  return `mkdir -p ${quoted} && curl -fsSL ${url} | tar -xz -C ${quoted} --strip-components=1 ${name}/nats-server`;
}

/**
 * The newest nats-server that the machine's Debian mirror has, in `.muster/nats/<version>`: for tests only, beside the one that is found.
 *
 * @param {{ rootDir: string, env: NodeJS.ProcessEnv, onInstall: () => void }} options
 * @param {AbortSignal} signal
 * @returns {Promise<NatsServer | { reason: string }>} `reason` says why there is none
 */
export async function ensureNewestNatsServer({ rootDir, env, onInstall }, signal) {
  const shelf = join(rootDir, '.muster/nats');
  const pathOf = (/** @type {string} */ version) => join(shelf, version, 'nats-server');
  const [here] = (existsSync(shelf) ? readdirSync(shelf) : [])
    .filter((version) => existsSync(pathOf(version)))
    .sort((a, b) => (isAtLeast(a, b) ? -1 : 1));
  if (here !== undefined) return { path: pathOf(here), version: here, isNew: false };
  onInstall();
  const fetched = join(shelf, 'fetched');
  let reason = 'this machine has no mirror with a newer one';
  for (const source of newerSources()) {
    const outcome = await fetchOwn(
      { env, ownDir: shelf, ownPath: fetched, minVersion: MIN_OPEN_VERSION, source },
      signal,
    );
    signal.throwIfAborted();
    const version = outcome.ok ? await readVersion(fetched, env, signal) : undefined;
    if (version !== undefined) {
      mkdirSync(join(shelf, version), { recursive: true });
      renameSync(fetched, pathOf(version));
      return { path: pathOf(version), version, isNew: true };
    }
    reason = outcome.ok ? `what '${source}' has does not run here` : outcome.reason;
  }
  return { reason };
}

/**
 * Brings a nats-server of its own into the clone.
 * @param {{ env: NodeJS.ProcessEnv, ownDir: string, ownPath: string, minVersion: string, source: string | undefined }} options
 * @param {AbortSignal} signal
 */
async function fetchOwn({ env, ownDir, ownPath, minVersion, source }, signal) {
  const unpacked = join(ownDir, 'unpacked');
  mkdirSync(ownDir, { recursive: true });
  try {
    const outcome = await fetchPackage(
      'nats-server',
      { env, intoDir: unpacked, minVersion, ...(source === undefined ? {} : { source }) },
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
export async function readVersion(path, env, signal) {
  const { code, output } = await run(path, ['--version'], { env }, signal);
  return code === 0 ? /v(\d+\.\d+\.\d+)/.exec(output)?.[1] : undefined;
}
