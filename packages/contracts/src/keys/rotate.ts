/*
 * Replacing keys under a running bus.
 *
 * Each replacement has two steps, so that nobody is turned away in between: first there is a new key beside the old one
 * (`<file>.old`), and both count; when everybody has what the new one signed, the old one is dropped. What is signed with
 * which of the two, `mintKeys` and `mintCertificates` know: run them after each step.
 */
import { access, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { credentialsFile, oldFile } from '../files/state-layout.ts';
import type { Identity } from './identities.ts';
import { publicKeyIn, SIGNING_KEY_FILE } from './key-files.ts';
import { ROOT_KEY_FILE, resignRevocations, revoke } from './revoke.ts';

/** The account's signing key, the root of all grants, and the authority of the certificates; or an identity's own key. */
export type Rotatable = 'account' | 'root' | 'ca' | Identity;

const FILES: Readonly<Record<Extract<Rotatable, string>, readonly string[]>> = {
  account: [SIGNING_KEY_FILE],
  root: [ROOT_KEY_FILE],
  // The certificate first: a new authority takes the place of half an old one, and what that has signed must count on.
  ca: ['ca.crt', 'ca.key'],
};

/** The step does not fit what is in the directory. Nothing was changed. */
export class RotationError extends Error {
  constructor(reason: string) {
    super(`cannot replace the key: ${reason}`);
    this.name = 'RotationError';
  }
}

/** Puts the old key aside, where it still counts. @throws RotationError */
export async function beginRotation(directory: string, what: Rotatable): Promise<void> {
  const files = filesOf(directory, what);
  const missing = (await Promise.all(files.map(isThere))).some((there) => !there);
  if (missing) throw new RotationError(`there is no '${files[0]}': nothing to replace`);
  if (await isUnderWay(directory, what)) throw new RotationError(`that is under way already: end it with --finish`);
  for (const file of files) await rename(file, oldFile(file));
}

/** Drops the old key for good. An identity's is revoked as well: tell the bus. @throws RotationError, RevokeError */
export async function finishRotation(directory: string, environment: string, what: Rotatable): Promise<void> {
  if (!(await isUnderWay(directory, what))) throw new RotationError('none is under way: begin it without --finish');
  const files = filesOf(directory, what);
  if (typeof what !== 'string') {
    const key = await publicKeyIn(oldFile(files[0] ?? ''));
    const identity = `${what.role}/${what.id}`;
    await revoke({ directory, environment, keys: [{ key, identity, reason: 'replaced by a new key' }] });
  }
  if (what === 'root') await resignRevocations(directory, environment);
  for (const file of files) await rm(oldFile(file), { force: true });
}

/**
 * Drops the operator's key and the system account's. Neither is used but to sign what stands in the servers' configuration,
 * so there is nothing to wait for: each server takes the new ones when it is restarted with what `mintKeys` makes then.
 */
export async function replaceOperator(directory: string): Promise<void> {
  for (const name of ['operator.nk', 'system.nk']) await rm(join(directory, name), { force: true });
}

async function isUnderWay(directory: string, what: Rotatable): Promise<boolean> {
  return await isThere(oldFile(filesOf(directory, what)[0] ?? ''));
}

function filesOf(directory: string, what: Rotatable): readonly string[] {
  return typeof what === 'string'
    ? FILES[what].map((name) => join(directory, name))
    : [credentialsFile(directory, what)];
}

async function isThere(file: string): Promise<boolean> {
  return await access(file).then(
    () => true,
    () => false,
  );
}
