/** From what is configured to what is run: paths made absolute, env_file read, the environment computed afresh. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseEnv } from 'node:util';
import { type ServiceSpec, specHash } from '@muster/contracts/config';
import type { Account } from '../../confine/accounts.ts';
import type { InstanceKey, RunSpec } from '../../drivers/driver.ts';
import { keyOf } from '../../state/instance-store.ts';
import type { Secrets } from '../secrets.ts';

export interface RunSurroundings {
  /** Relative paths in services.yaml start here. */
  readonly rootDir: string;
  readonly logDir: string;
  /** The agent's own environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** That of the agent's caller: the agent itself makes its files for nobody else. */
  readonly umask?: number;
  /** Told what a service is given of its own, each time that is read. */
  readonly onEnvironment?: (service: string, own: Readonly<Record<string, string>>) => void;
}

/**
 * What a service gets of the agent's environment. It must start the same from a terminal, from a script and at boot, so
 * whatever else the caller's shell has set stays out.
 */
const INHERITED = /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_[A-Z]+|TZ|TMPDIR|XDG_RUNTIME_DIR)$/;
/** What of it is the agent's own user's. */
const OWN = /^(HOME|USER|LOGNAME|SHELL|TMPDIR|XDG_RUNTIME_DIR)$/;

/** `account`: whom it runs as, where that is not the agent's own user. @throws Error when an env_file cannot be read: what, which one, why. */
export function runSpecOf(
  spec: ServiceSpec,
  key: InstanceKey,
  generation: number,
  { rootDir, logDir, env, umask, onEnvironment }: RunSurroundings,
  account?: Account,
): RunSpec {
  const name = path.join(logDir, keyOf(key.service, key.instance));
  const own = ownEnvironment(spec, rootDir);
  onEnvironment?.(spec.name, own);
  return {
    ...key,
    generation,
    command: spec.command,
    cwd: path.resolve(rootDir, spec.workingDirectory ?? '.'),
    ...(account !== undefined && { user: { uid: account.uid, gid: account.gid } }),
    environment: { ...inheritedFrom(env, account), ...own },
    specHash: specHash(spec),
    logFiles: { stdout: `${name}.stdout.log`, stderr: `${name}.stderr.log` },
    ...(umask !== undefined && { umask }),
    ...(spec.port !== undefined && { port: spec.port }),
  };
}

/** Of its files and its configuration. @throws Error when a file cannot be read */
function ownEnvironment(spec: ServiceSpec, rootDir: string): Record<string, string> {
  const files = spec.envFiles.map((file) => readEnvFile(spec.name, path.resolve(rootDir, file)));
  return { ...Object.assign({}, ...files), ...spec.environment };
}

/** Before anything is said of it. */
export function noteSecrets(secrets: Pick<Secrets, 'note'>, spec: ServiceSpec, rootDir: string): void {
  secrets.note(spec.name, spec.environment);
  try {
    secrets.note(spec.name, ownEnvironment(spec, rootDir));
  } catch {
    // The start itself says so.
  }
}

function inheritedFrom(env: RunSurroundings['env'], account: Account | undefined): Record<string, string> {
  const inherited: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    const isTheirs = account === undefined || !OWN.test(name);
    if (value !== undefined && INHERITED.test(name) && isTheirs) inherited[name] = value;
  }
  if (account === undefined) return inherited;
  return { ...inherited, HOME: account.home, USER: account.name, LOGNAME: account.name };
}

function readEnvFile(service: string, file: string): Record<string, string> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(
      `cannot read env_file '${file}' of service '${service}': ${(error as NodeJS.ErrnoException).code}`,
      {
        cause: error,
      },
    );
  }
  return parseEnv(text) as Record<string, string>;
}
