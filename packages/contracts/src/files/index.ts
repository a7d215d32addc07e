export { withFileLock } from './file-lock.ts';
export {
  type ClosedFolder,
  claimPrivateFolder,
  claimStateFolder,
  expectOwnEntries,
  PrivateFolderError,
} from './private-folder.ts';
export { type ReplaceOptions, readIfPresent, replaceFile } from './replace-file.ts';
