import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { STATUS_FILE_NAME, StatusFile } from '@muster/contracts';

/** What the agent of this machine says; `undefined` when there is no such file, or none that can be read. */
export async function readStatusFile(stateDir: string): Promise<StatusFile | undefined> {
  try {
    const parsed = StatusFile.safeParse(JSON.parse(await readFile(join(stateDir, STATUS_FILE_NAME), 'utf8')));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}
