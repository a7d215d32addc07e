/*
 * What Muster's own programs need of the keys, where they run as users of their own and can't look into the folder of the
 * keys. The agent lays their folders out, for a group each and with the set-group-id bit (ADR 21): whoever replaces a file
 * there leaves it readable for that group. So new keys need no agent: who makes them puts them there as well.
 */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { readIfPresent, replaceFile } from './replace-file.ts';
import { PROGRAM_IDENTITIES, stateLayout, tlsFilesBeside } from './state-layout.ts';

/** Gives the programs whose folders are laid out the keys as they are now. */
export function copyProgramKeys(stateDir: string, keysDir = stateLayout(stateDir).keysDir): void {
  for (const [program, identity] of Object.entries(PROGRAM_IDENTITIES)) {
    const folder = join(stateLayout(stateDir).programsDir, program, 'keys');
    if (!existsSync(folder)) continue;
    const credentials = join(keysDir, `${identity}.creds`);
    for (const file of [credentials, ...Object.values(tlsFilesBeside(credentials))]) {
      const text = readIfPresent(file);
      if (text !== undefined) replaceForGroup(join(folder, basename(file)), text);
    }
  }
}

/** For its folder's group as well. @returns true when it was written */
export function replaceForGroup(file: string, text: string): boolean {
  if (readIfPresent(file) === text) return false;
  replaceFile(file, text, { mode: 0o640 });
  return true;
}
