import { createHash } from 'node:crypto';
import { lstatSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { claimPrivateFolder } from '@muster/contracts/files';

/*
 * The two shell scripts between the agent and a service. POSIX sh with built-ins, plus mkfifo and setsid while getting
 * ready: nothing is forked or looked up once the agent has said go.
 *
 *   agent ── socket ──▶ shim (own session) ──▶ launcher (own session) ══ exec ══▶ service, same pid
 *
 * The socket is the stdin of shim and launcher. It carries one line, `go <ms>`. When the agent dies first, the launcher
 * reads the end of it and exits, and the shim with it: a shim in waiting can't leak and can't start anything later.
 *
 * BAD: `setsid sh launcher &` and `wait`: a shell starts background commands with SIGINT and SIGQUIT ignored, for good.
 * GOOD: run it in the foreground. The caught signals of the shim are back at their defaults in the launcher, and the
 * shim goes on waiting when one arrives.
 */

const SHIM = `# Muster's shim: the parent of one run of one service. It waits, and writes down how the run ended.
# usage: sh shim.sh RUN_FOLDER LAUNCHER
trap : HUP INT QUIT PIPE ALRM TERM USR1 USR2
set -f
run=$1 launcher=$2
# 9: what an outer Muster may have left open, 2: the service's log is no place for the shell's own "Killed".
exec 9>&- 3>>"$run/journal" 4>&2 2>/dev/null
read -r stat </proc/$$/stat
set -- \${stat##*) }
printf '\\nshim %s %s .\\n' $$ "\${20}" >&3
mkfifo -m 600 "$run/tree" || exit
# In parentheses: else the shell itself has its stderr on the log while it waits.
(exec setsid sh "$launcher" "$run" 2>&4 4>&-)
printf '\\nexit %s .\\n' $? >&3
`;

const LAUNCHER = `# Muster's launcher: waits for the agent's go, then becomes the service.
# usage: sh launcher.sh RUN_FOLDER
set -f
run=$1
# Inherited by the whole tree: while any process holds it, the run is not over.
exec 9<>"$run/tree"
read -r stat </proc/$$/stat
set -- \${stat##*) }
printf '\\nready %s %s .\\n' $$ "\${20}" >&3
read -r go ms && [ "$go" = go ] || exit 125
printf '\\ngo %s .\\n' "$ms" >&3 || exit 125
exec </dev/null
. "$run/spec"
`;

export interface Scripts {
  readonly shim: string;
  readonly launcher: string;
}

/**
 * Writes the scripts into the runtime folder, unless they are there, and returns their paths. The name holds the text's hash and the file
 * arrives by rename: a shell reads its script as it goes, so one in use must never change.
 * @throws PrivateFolderError where another account could have them say something else
 */
export function writeScripts(runtimeFolder: string): Scripts {
  claimPrivateFolder(runtimeFolder);
  return { shim: writeScript(runtimeFolder, 'shim', SHIM), launcher: writeScript(runtimeFolder, 'launcher', LAUNCHER) };
}

function writeScript(folder: string, name: string, text: string): string {
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 8);
  const path = join(folder, `${name}-${hash}.sh`);
  if (isOurs(path)) return path;
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, text, { mode: 0o600 });
  renameSync(temporary, path);
  return path;
}

/** A link, or another account's file, would be one that somebody had put there before the folder was closed. */
function isOurs(path: string): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat?.isFile() === true && stat.uid === process.geteuid?.();
}
