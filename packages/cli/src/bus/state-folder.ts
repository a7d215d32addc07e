import { existsSync } from 'node:fs';
import { claimStateFolder, PrivateFolderError } from '@muster/contracts/files';
import type { Settings } from '../config.ts';
import { CliError } from '../exit-codes.ts';
import type { Terminal } from '../terminal.ts';

/** As `claimState`, where there is one: nothing is made. @throws CliError (failed) */
export function closeState(settings: Settings, terminal: Terminal): void {
  if (existsSync(settings.stateDir)) claimState(settings, terminal);
}

/**
 * Before keys are written: makes the state folder, or closes to other users of this machine what is there, and says so.
 * @throws CliError (failed) when it is another user's, or a link
 */
export function claimState({ stateDir }: Settings, terminal: Terminal): void {
  try {
    const { paths } = claimStateFolder(stateDir);
    if (paths.length > 0) {
      terminal.note(`muster: closed ${paths.length} files and folders of '${stateDir}' to other users of this machine`);
    }
  } catch (error) {
    if (!(error instanceof PrivateFolderError)) throw error;
    throw new CliError('failed', `cannot use the state folder: ${error.message}`, { cause: error });
  }
}
