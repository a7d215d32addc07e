import { accessSync, constants, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { describeInstance, type RunSpec } from '../driver.ts';
import { findSetpriv } from './setpriv.ts';

/** Where the shell looks when the service's environment has no PATH. */
export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface Obstacle {
  /** For people: what failed, on which path, what to do. */
  readonly reason: string;
  /** False for what only another spec can mend. */
  readonly isRetryable: boolean;
}

/** Why this spec can't be started now. `undefined`: nothing speaks against it. */
export function findObstacle(spec: RunSpec): Obstacle | undefined {
  const failure = `cannot start ${describeInstance(spec)}`;
  const flaw = findFlaw(spec);
  if (flaw !== undefined) return { reason: `${failure}: ${flaw}`, isRetryable: false };
  const lack = findLack(spec);
  return lack === undefined ? undefined : { reason: `${failure}: ${lack}`, isRetryable: true };
}

/** What is wrong with the spec, wherever it is run. */
function findFlaw({ environment, command }: RunSpec): string | undefined {
  const withNul = Object.entries(environment).find((pair) => pair.some((text) => text.includes('\0')));
  if (withNul !== undefined) return `environment variable '${withNul[0]}' holds a NUL character: remove it`;
  const badName = Object.keys(environment).find((name) => name === '' || name.includes('='));
  if (badName !== undefined) return `'${badName}' is no name for an environment variable: rename it`;
  const words = typeof command === 'string' ? [command] : command;
  if (words.some((word) => word.includes('\0'))) return 'its command holds a NUL character: remove it';
  const [program] = words;
  if (!program) return 'its command is empty: name a program';
  if (typeof command !== 'string' && program.startsWith('-')) {
    return `command '${program}' starts with '-': give its full path`;
  }
  return undefined;
}

/** What is missing on this host. */
function findLack(spec: RunSpec): string | undefined {
  if (!isFolder(spec.cwd)) {
    return `working folder '${spec.cwd}' does not exist or is no folder: create it or correct the path`;
  }
  if (spec.user !== undefined && findSetpriv() === undefined) {
    return "'setpriv' is missing, which starts it as another user: install util-linux";
  }
  const program = typeof spec.command === 'string' ? undefined : spec.command[0];
  return program === undefined ? undefined : explainProgram(program, spec);
}

function explainProgram(program: string, spec: RunSpec): string | undefined {
  const path = spec.environment['PATH'] ?? DEFAULT_PATH;
  const candidates = program.includes('/')
    ? [resolve(spec.cwd, program)]
    : path.split(':').map((folder) => resolve(spec.cwd, folder, program));
  if (candidates.some(isExecutable)) return undefined;
  const found = candidates.find(exists);
  if (found !== undefined) {
    return `'${found}' is not an executable file: chmod +x it or name the program that runs it`;
  }
  if (program.includes('/')) return `command '${candidates[0]}' does not exist: install it or correct it`;
  return `command '${program}' is not in PATH (${path}): install it or give its full path`;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function exists(path: string): boolean {
  try {
    accessSync(path, constants.F_OK);
    return true;
  } catch {
    return false;
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
