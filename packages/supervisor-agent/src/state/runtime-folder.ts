/**
 * Where the records of runs are, and the scripts that start them: `muster/<agent-id>` on a tmpfs of this user's. What lies
 * there is obeyed, so each level of it must be this user's alone, also in `/tmp`, where anybody could have made it first.
 */
import { tmpdir } from 'node:os';
import path from 'node:path';
import { messageOf } from '@muster/contracts';
import { claimPrivateFolder, expectOwnEntries, PrivateFolderError } from '@muster/contracts/files';

/** There is no folder for records of runs that is this user's alone. Starting again does not help. */
export class RuntimeFolderError extends Error {
  constructor(cause: unknown) {
    const what = `cannot keep the records of runs: ${messageOf(cause)}`;
    const advice = 'or set XDG_RUNTIME_DIR to a folder of your own: mkdir -m 700 FOLDER';
    super(`${what}; ${advice}`, { cause });
    this.name = 'RuntimeFolderError';
  }
}

/** Makes the folder of one agent, or proves that it is this user's alone. @throws RuntimeFolderError */
export function claimRuntimeFolder(env: Readonly<Record<string, string | undefined>>, agentId: string): string {
  const levels = levelsOf(env);
  const folder = path.join(levels.at(-1) ?? '', agentId);
  try {
    for (const level of [...levels, folder]) claimPrivateFolder(level);
    expectOwnEntries(folder);
  } catch (error) {
    throw new RuntimeFolderError(error);
  }
  return folder;
}

/** The levels that are this user's, from above. */
function levelsOf(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const own = env['XDG_RUNTIME_DIR'];
  if (own !== undefined && own !== '') {
    if (path.isAbsolute(own)) return [own, path.join(own, 'muster')];
    throw new RuntimeFolderError(
      new PrivateFolderError(own, 'of XDG_RUNTIME_DIR is no absolute path', 'write one, or unset it'),
    );
  }
  const uid = process.getuid?.() ?? 0;
  return [uid === 0 ? '/run/muster' : path.join(tmpdir(), `muster-${uid}`)];
}
