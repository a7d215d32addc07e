import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { claimPrivateFolder } from '@muster/contracts/files';
import type { InstanceKey, RunSpec } from '../driver.ts';
import { formatRunLines, parseRunRecord, type RunRecord } from './run-record.ts';
import { formatSpecFile } from './spec-file.ts';

/*
 * <runtime>/<service>.<instance>/<generation>-<random>/
 *   journal   what happened to this run (run-record.ts)
 *   spec      what the starter sources to become the service
 *   go        a FIFO: the starter waits at its end for the agent's word (script.ts)
 *   tree      a FIFO that every process of the run inherits open: it tells whether any is left
 *   stdout    a FIFO each: what the run prints, until the output writer has read it
 *   stderr
 *   drained   a FIFO by which the shim hears that all of it was read
 * A folder is made for each shim, so a shim that was never given its go leaves no trace in the next one's records.
 */

export interface RunFolder {
  readonly path: string;
  readonly journal: string;
  readonly tree: string;
  readonly go: string;
}

export interface RecordedRun {
  readonly folder: RunFolder;
  readonly record: RunRecord;
}

/**
 * Makes the folder of one run, with its first record: before anything of the run exists.
 * @throws PrivateFolderError where another account has made what lies above it
 */
export function createRunFolder(instanceFolder: string, spec: RunSpec, bootId: string): RunFolder {
  const folder = runFolderAt(join(instanceFolder, `${spec.generation}-${randomBytes(4).toString('hex')}`));
  claimPrivateFolder(instanceFolder);
  mkdirSync(folder.path, { mode: 0o700 });
  // Holds the environment, so possibly secrets: for the owner only, like the folder.
  writeFileSync(join(folder.path, 'spec'), formatSpecFile(spec), { mode: 0o600 });
  writeFileSync(folder.journal, formatRunLines({ bootId, ...spec }), { mode: 0o600 });
  return folder;
}

/** The runs of an instance that this boot has records of; the rest is rubbish of an earlier boot or of a torn start. */
export function readRuns(instanceFolder: string, bootId: string): RecordedRun[] {
  return listNames(instanceFolder)
    .map((name) => runFolderAt(join(instanceFolder, name)))
    .map((folder) => ({ folder, record: readRunRecord(folder) }))
    .filter(({ record }) => record.bootId === bootId);
}

/** An unreadable record says nothing. */
export function readRunRecord(folder: RunFolder): RunRecord {
  try {
    return parseRunRecord(readFileSync(folder.journal, 'utf8'));
  } catch {
    return {};
  }
}

/** All folders of an instance but those to keep. */
export function otherRuns(instanceFolder: string, keep: readonly (string | undefined)[]): string[] {
  return listNames(instanceFolder)
    .map((name) => join(instanceFolder, name))
    .filter((path) => !keep.includes(path));
}

export function removeRun(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

export function instanceFolderOf(runtimeFolder: string, { service, instance }: InstanceKey): string {
  return join(runtimeFolder, `${service}.${instance}`);
}

function runFolderAt(path: string): RunFolder {
  return { path, journal: join(path, 'journal'), tree: join(path, 'tree'), go: join(path, 'go') };
}

function listNames(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
