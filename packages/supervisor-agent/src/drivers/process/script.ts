import { createHash } from 'node:crypto';
import { lstatSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { claimPrivateFolder } from '@muster/contracts/files';
import { SHIM_TAG } from './tag.ts';

/*
 * The shell scripts between the agent and a service. POSIX sh with built-ins, plus mkfifo and setsid while getting
 * ready: nothing is forked or looked up once the agent has said go.
 *
 *   agent ──▶ spawner (own session) ──▶ shim ──▶ starter (own session) ══ exec ══▶ service, same pid
 *                                     ──▶ shim ──▶ starter …
 *
 * A fork of the agent takes milliseconds of its main thread, one of a shell a fraction of one: so all shims that are
 * asked for at once have one spawner, which makes their FIFOs, forks them, and reaps them. A single shim is what its
 * spawner becomes.
 *
 * The go is one line, `go <ms>`, on a FIFO of the run. The agent has opened it before the shim is forked, so that a
 * starter finds a writer, or it finds none, because its agent has died or has abandoned it: then it reads the end of the
 * file at once, and ends, whenever that is. So a shim in waiting can't leak and can't start anything later.
 *
 * BAD: `shim &`, `setsid sh starter &` and `wait`: a shell starts background commands with SIGINT and SIGQUIT
 * ignored, for good.
 * GOOD: run them in the foreground, several as the parts of one pipeline. The caught signals of spawner and shim are back
 * at their defaults in the starter, and both go on waiting when one arrives.
 *
 * What the service prints goes into two FIFOs, which the output writer (output/output-writer.ts) drains into its log files.
 */

const SPAWNER = `# Muster's spawner: forks the shims of several runs and waits for them.
# usage: sh spawner.sh SHIM STARTER (RUN_FOLDER TAG)...
trap : HUP INT QUIT PIPE ALRM TERM USR1 USR2
set -f
shim=$1 starter=$2
shift 2
# 9: what an outer Muster may have left open.
exec 2>/dev/null 9>&-
start() {
  export ${SHIM_TAG}="$2"
  exec sh "$shim" "$1" "$starter" </dev/null >/dev/null
}
fifos= shims= i=1
while [ $i -lt $# ]; do
  for name in tree go stdout stderr drained; do fifos="$fifos \\"\\\${$i}/$name\\""; done
  shims="$shims start \\"\\\${$i}\\" \\"\\\${$((i + 1))}\\" |"
  i=$((i + 2))
done
eval "mkfifo -m 600 $fifos" || exit
# The agent opens what was made, and says so. It may be dead.
echo >&3
read -r _ <&3 || exit
exec 3>&-
eval "\${shims%|}"
`;

const SHIM = `# Muster's shim: the parent of one run of one service. It waits, and writes down how the run ended.
# usage: sh shim.sh RUN_FOLDER STARTER
trap : HUP INT QUIT PIPE ALRM TERM USR1 USR2
set -f
run=$1 starter=$2
exec 3>>"$run/journal"
read -r stat </proc/$$/stat
set -- \${stat##*) }
printf '\\nshim %s %s .\\n' $$ "\${20}" >&3
# What is in a FIFO vanishes with the last that has it open: so this shell has, until it hears that all of it was read.
exec 4<>"$run/stdout" 5<>"$run/stderr" 6<>"$run/drained"
# For reading only: who reads learns from its end that nobody can write any more.
exec 4<"$run/stdout" 5<"$run/stderr"
setsid sh "$starter" "$run" 4<&- 5<&- 6<&-
printf '\\nexit %s .\\n' $? >&3
# Nothing is to be read of what never got its go.
while read -r record rest; do [ "$record" != go ] || went=yes; done <"$run/journal"
[ -z "$went" ] || until read -r rest <&6; do :; done
`;

const STARTER = `# Muster's starter: waits for the agent's go, then becomes the service.
# usage: sh starter.sh RUN_FOLDER
set -f
run=$1
# 9 is inherited by the whole tree: while any process holds it, the run is not over. All are opened for reading as well: so
# no open waits for somebody, and a program that prints gets no SIGPIPE, whatever part of Muster dies.
exec 9<>"$run/tree" 1<>"$run/stdout" 2<>"$run/stderr"
# 4 keeps the open of 0 from waiting for a writer that is dead.
exec 4<>"$run/go" 0<"$run/go" 4>&-
read -r stat </proc/$$/stat
set -- \${stat##*) }
printf '\\nready %s %s .\\n' $$ "\${20}" >&3
read -r go ms && [ "$go" = go ] || exit 125
printf '\\ngo %s .\\n' "$ms" >&3 || exit 125
exec </dev/null
. "$run/spec"
`;

export interface Scripts {
  readonly spawner: string;
  readonly shim: string;
  readonly starter: string;
}

/**
 * Writes the scripts into the runtime folder, unless they are there, and returns their paths. The name holds the text's hash and the file
 * arrives by rename: a shell reads its script as it goes, so one in use must never change.
 * @throws PrivateFolderError where another account could have them say something else
 */
export function writeScripts(runtimeFolder: string): Scripts {
  claimPrivateFolder(runtimeFolder);
  return {
    spawner: writeScript(runtimeFolder, 'spawner', SPAWNER),
    shim: writeScript(runtimeFolder, 'shim', SHIM),
    starter: writeScript(runtimeFolder, 'starter', STARTER),
  };
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
