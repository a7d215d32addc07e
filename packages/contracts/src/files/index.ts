export { withFileLock } from './file-lock.ts';
export {
  type ClosedFolder,
  claimPrivateFolder,
  claimStateFolder,
  expectOwnEntries,
  PrivateFolderError,
} from './private-folder.ts';
export { copyProgramKeys } from './program-keys.ts';
export { type ReplaceOptions, readIfPresent, replaceFile } from './replace-file.ts';
export {
  credentialsFile,
  oldFile,
  PROGRAM_IDENTITIES,
  type ProgramName,
  SERVER_FILES,
  stateLayout,
  tlsFilesBeside,
} from './state-layout.ts';
