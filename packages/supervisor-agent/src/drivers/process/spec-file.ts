import type { RunSpec } from '../driver.ts';
import { setprivLine } from './setpriv.ts';
import { formatTag, RUN_TAG, SHIM_TAG } from './tag.ts';

/** Names a shell keeps for itself, in dash, bash or busybox: exporting them could fail or mean something else. */
const SHELL_NAMES =
  /^(IFS|OPTIND|OPTARG|LINENO|PPID|PWD|OLDPWD|PS[0-9]|ENV|CDPATH|_|E?UID|GROUPS|SHELLOPTS|SHLVL|RANDOM|SECONDS|FUNCNAME|DIRSTACK|EPOCH.*|HIST.*|BASH.*|SRANDOM|COMP_.*|POSIXLY_CORRECT)$/;

/** Single quotes hold everything but themselves. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/**
 * The file that the starter sources to become the service: `umask`, exports, `cd`, `exec`. Built-ins only, unless a variable
 * has a name that a shell can't export: then `env` sets those, for about a millisecond.
 */
export function formatSpecFile(spec: RunSpec): string {
  const variables = Object.entries({ ...spec.environment, [RUN_TAG]: formatTag(spec) });
  const exported = variables.filter(([name]) => isExportable(name));
  const others = variables.filter(([name]) => !isExportable(name)).map(([name, value]) => quote(`${name}=${value}`));
  const command = typeof spec.command === 'string' ? ['/bin/sh', '-c', spec.command] : spec.command;
  const argv = [
    ...setprivLine(spec.user),
    ...(others.length > 0 ? ['/usr/bin/env', ...others] : []),
    ...command.map(quote),
  ];
  return [
    ...(spec.umask === undefined ? [] : [`umask ${spec.umask.toString(8).padStart(4, '0')}`]),
    `cd -- ${quote(spec.cwd)} || exit 126`,
    `unset ${SHIM_TAG} OLDPWD`,
    ...exported.map(([name, value]) => `export ${name}=${quote(value)}`),
    `exec ${argv.join(' ')} 3>&-`,
    '',
  ].join('\n');
}

function isExportable(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !SHELL_NAMES.test(name);
}
