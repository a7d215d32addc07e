import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { lastLine, run } from './run.mjs';
import { isAtLeast } from './version.mjs';

/** @typedef {{ ok: true } | { ok: false, reason: string, isTooOld?: true }} Outcome `isTooOld`: there is a package, but no newer one */

/** Where newer packages than the machine's own suite has are found, by what its mirror ends with. */
const DISTRIBUTIONS = [
  {
    mirror: /\/debian\/?$/,
    keyring: 'debian-archive-keyring.gpg',
    components: 'main',
    newerSuites: ['forky', 'sid', 'trixie'],
  },
  {
    mirror: /\/ubuntu(-ports)?\/?$/,
    keyring: 'ubuntu-archive-keyring.gpg',
    components: 'main universe',
    newerSuites: ['resolute', 'devel'],
  },
];

/**
 * Installs Debian packages, as root or by a sudo that asks nothing.
 *
 * @param {readonly string[]} packages
 * @param {{ env: NodeJS.ProcessEnv, isRoot: boolean, minVersion?: string }} options older ones than `minVersion` are not installed
 * @param {AbortSignal} signal
 * @returns {Promise<Outcome>}
 */
export async function aptInstall(packages, { env, isRoot, minVersion }, signal) {
  if (!findProgram('apt-get', env)) return { ok: false, reason: 'this machine has no apt-get' };
  const sudo = isRoot ? [] : ['sudo', '-n'];
  if (!isRoot && (await run('sudo', ['-n', 'true'], { env }, signal)).code !== 0) {
    return { ok: false, reason: 'not root, and no sudo without a password' };
  }
  const quiet = ['-q', '-o', 'DPkg::Lock::Timeout=60'];
  /** @param {'update' | 'install'} verb @param {...string} args @returns {Promise<Outcome>} */
  const aptGet = async (verb, ...args) => {
    const words = [...sudo, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...quiet, verb, ...args];
    const [command = '', ...rest] = words;
    const { code, output } = await run(command, rest, { env }, signal);
    return code === 0 ? { ok: true } : { ok: false, reason: `apt-get ${verb}: ${lastLine(output)}` };
  };
  const updated = await aptGet('update');
  if (!updated.ok) return updated;
  if (minVersion !== undefined) {
    for (const name of packages) {
      const offered = await checkCandidate(name, { env, flags: [], minVersion }, signal);
      if (!offered.ok) return offered;
    }
  }
  return aptGet('install', '-y', '--no-install-recommends', ...packages);
}

/**
 * Downloads one package and unpacks it into a folder. Needs no root rights: lists and downloads live in a folder of their own, and
 * apt's configuration on the machine stays as it is.
 *
 * @param {string} name of the package
 * @param {{ env: NodeJS.ProcessEnv, intoDir: string, minVersion: string, source?: string }} options `source` is a line as in sources.list,
 *   used instead of the machine's own
 * @param {AbortSignal} signal
 * @returns {Promise<Outcome>}
 */
export async function fetchPackage(name, { env, intoDir, minVersion, source }, signal) {
  if (!findProgram('apt-get', env)) return { ok: false, reason: 'this machine has no apt-get' };
  mkdirSync(intoDir, { recursive: true });
  const scratch = mkdtempSync(join(intoDir, '.apt-'));
  try {
    mkdirSync(join(scratch, 'lists/partial'), { recursive: true });
    mkdirSync(join(scratch, 'cache/archives/partial'), { recursive: true });
    const options = [
      ['Dir::State::Lists', join(scratch, 'lists')],
      ['Dir::Cache', join(scratch, 'cache')],
      ['APT::Sandbox::User', 'root'], // as root apt would drop to a user that may not enter the clone
    ];
    if (source !== undefined) {
      const list = join(scratch, 'sources.list');
      writeFileSync(list, `${source}\n`);
      options.push(['Dir::Etc::SourceList', list], ['Dir::Etc::SourceParts', '-']);
    }
    const flags = ['-q', ...options.flatMap(([key, value]) => ['-o', `${key}=${value}`])];
    const updated = await run('apt-get', [...flags, 'update'], { cwd: scratch, env }, signal);
    if (updated.code !== 0) return { ok: false, reason: `apt-get update: ${lastLine(updated.output)}` };
    const offered = await checkCandidate(name, { env, flags, minVersion }, signal);
    if (!offered.ok) return offered;
    const downloaded = await run('apt-get', [...flags, 'download', name], { cwd: scratch, env }, signal);
    if (downloaded.code !== 0) return { ok: false, reason: `apt-get download: ${lastLine(downloaded.output)}` };
    const archive = readdirSync(scratch).find((file) => file.endsWith('.deb'));
    if (archive === undefined) return { ok: false, reason: 'apt-get download brought no file' };
    const { code, output } = await run('dpkg', ['-x', join(scratch, archive), intoDir], { env }, signal);
    return code === 0 ? { ok: true } : { ok: false, reason: `dpkg -x: ${lastLine(output)}` };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/**
 * Whether the version that apt would install is new enough.
 *
 * @param {string} name of the package
 * @param {{ env: NodeJS.ProcessEnv, flags: readonly string[], minVersion: string }} options
 * @param {AbortSignal} signal
 * @returns {Promise<Outcome>}
 */
async function checkCandidate(name, { env, flags, minVersion }, signal) {
  // In English, whatever the user's language.
  const { output } = await run('apt-cache', [...flags, 'policy', name], { env: { ...env, LC_ALL: 'C' } }, signal);
  const version = /^\s*Candidate: (?:\d+:)?(\d+\.\d+\.\d+)/m.exec(output)?.[1];
  if (version === undefined) return { ok: false, reason: `apt knows no ${name}` };
  if (isAtLeast(version, minVersion)) return { ok: true };
  return { ok: false, reason: `apt has only ${name} ${version}`, isTooOld: true };
}

/**
 * @param {string} name
 * @param {NodeJS.ProcessEnv} env
 * @returns {string | undefined} its path; system folders are searched too, which are not on every user's PATH
 */
export function findProgram(name, env) {
  return [...(env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/local/bin', '/usr/bin']
    .filter(Boolean)
    .map((dir) => join(dir, name))
    .find((file) => existsSync(file));
}

/**
 * Lines as in sources.list for suites newer than the machine's own, from the mirror that the machine already uses.
 *
 * @param {string} [root] of the file system
 * @returns {string[]} none when the machine uses no plain archive of a known distribution, or lacks its keyring
 */
export function newerSources(root = '/') {
  const aptDir = join(root, 'etc/apt');
  const listDir = join(aptDir, 'sources.list.d');
  const names = existsSync(listDir) ? readdirSync(listDir) : [];
  const files = [join(aptDir, 'sources.list'), ...names.map((name) => join(listDir, name))];
  const mirrors = files.filter((file) => existsSync(file)).flatMap((file) => listMirrors(readFileSync(file, 'utf8')));
  return DISTRIBUTIONS.flatMap(({ mirror, keyring, components, newerSuites }) => {
    const address = mirrors.find((candidate) => mirror.test(candidate));
    const keyringFile = join(root, 'usr/share/keyrings', keyring);
    if (address === undefined || !existsSync(keyringFile)) return [];
    return newerSuites.map((suite) => `deb [signed-by=${keyringFile}] ${address} ${suite} ${components}`);
  });
}

/**
 * @param {string} sources in deb822 or one-line format
 * @returns {string[]} addresses of archives
 */
function listMirrors(sources) {
  const addresses = sources.matchAll(/^\s*URIs:\s*(\S+)|^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)/gm);
  return [...addresses].map(([, a, b]) => a ?? b ?? '');
}
