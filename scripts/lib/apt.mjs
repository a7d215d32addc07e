import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { lastLine, run } from './run.mjs';

/** @typedef {{ ok: true } | { ok: false, reason: string }} Outcome */

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/**
 * Installs Debian packages, as root or by a sudo that asks nothing.
 *
 * @param {readonly string[]} packages
 * @param {{ env: NodeJS.ProcessEnv, isRoot: boolean }} options
 * @param {AbortSignal} signal
 * @returns {Promise<Outcome>}
 */
export async function aptInstall(packages, { env, isRoot }, signal) {
  if (!findProgram('apt-get', env)) return { ok: false, reason: 'this machine has no apt-get' };
  const sudo = isRoot ? [] : ['sudo', '-n'];
  if (!isRoot && (await run('sudo', ['-n', 'true'], { env }, signal)).code !== 0) {
    return { ok: false, reason: 'not root, and no sudo without a password' };
  }
  const quiet = ['-q', '-o', 'DPkg::Lock::Timeout=60'];
  const steps = [
    ['apt-get', ...quiet, 'update'],
    ['apt-get', ...quiet, 'install', '-y', '--no-install-recommends', ...packages],
  ];
  for (const step of steps) {
    const [command = '', ...args] = [...sudo, 'env', 'DEBIAN_FRONTEND=noninteractive', ...step];
    const { code, output } = await run(command, args, { env }, signal);
    if (code !== 0)
      return { ok: false, reason: `apt-get ${step.includes('update') ? 'update' : 'install'}: ${lastLine(output)}` };
  }
  return { ok: true };
}

/**
 * Downloads one package and unpacks it into a folder. Needs no root rights: lists and downloads live in a folder of their own, and
 * apt's configuration on the machine stays as it is.
 *
 * @param {string} name of the package
 * @param {{ env: NodeJS.ProcessEnv, intoDir: string, suite?: string }} options `suite` is a Debian suite other than the machine's own;
 *   it is read from the mirror that the machine already uses
 * @param {AbortSignal} signal
 * @returns {Promise<Outcome>}
 */
export async function fetchPackage(name, { env, intoDir, suite }, signal) {
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
    if (suite !== undefined) {
      const mirror = findMirror(readSources());
      if (mirror === undefined || !existsSync(KEYRING))
        return { ok: false, reason: 'this machine has no Debian mirror' };
      const list = join(scratch, 'sources.list');
      writeFileSync(list, `deb [signed-by=${KEYRING}] ${mirror} ${suite} main\n`);
      options.push(['Dir::Etc::SourceList', list], ['Dir::Etc::SourceParts', '-']);
    }
    const flags = ['-q', ...options.flatMap(([key, value]) => ['-o', `${key}=${value}`])];
    const steps = [
      ['apt-get', ...flags, 'update'],
      ['apt-get', ...flags, 'download', name],
    ];
    for (const [command = '', ...args] of steps) {
      const { code, output } = await run(command, args, { cwd: scratch, env }, signal);
      if (code !== 0)
        return { ok: false, reason: `apt-get ${args.includes('update') ? 'update' : 'download'}: ${lastLine(output)}` };
    }
    const archive = readdirSync(scratch).find((file) => file.endsWith('.deb'));
    if (archive === undefined) return { ok: false, reason: 'apt-get download brought no file' };
    const { code, output } = await run('dpkg', ['-x', join(scratch, archive), intoDir], { env }, signal);
    return code === 0 ? { ok: true } : { ok: false, reason: `dpkg -x: ${lastLine(output)}` };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
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

/** @returns {string} all of the machine's apt sources, one file after the other */
function readSources() {
  return [
    '/etc/apt/sources.list',
    ...readdirSync('/etc/apt/sources.list.d').map((name) => join('/etc/apt/sources.list.d', name)),
  ]
    .filter((file) => existsSync(file))
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n\n');
}

/**
 * @param {string} sources in deb822 or one-line format
 * @returns {string | undefined} address of the first plain Debian archive in them
 */
export function findMirror(sources) {
  const addresses = [...sources.matchAll(/^\s*URIs:\s*(\S+)|^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)/gm)].map(
    ([, a, b]) => a ?? b ?? '',
  );
  return addresses.find((address) => /\/debian\/?$/.test(address));
}
