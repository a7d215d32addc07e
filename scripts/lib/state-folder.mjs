import { chmodSync, lstatSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { checkWritable } from './machine.mjs';
import { Refusal } from './refusal.mjs';

/**
 * Makes the state folder, or takes what is there when it is this user's, and closes it to other accounts of this machine: keys, logs
 * and values of environment variables lie in it. What lies in it the agent closes.
 *
 * @param {string} dir
 * @returns {boolean} true when it was open to others until now
 * @throws {Refusal}
 */
export function claimStateFolder(dir) {
  const found = lstatSync(dir, { throwIfNoEntry: false });
  if (found === undefined) {
    checkWritable(dirname(dir));
    makeFolder(dir);
  }
  const stat = lstatSync(dir);
  const ownUid = process.geteuid?.();
  const advice = 'name a folder of your own: --state DIR, or state_dir in config/agent.yaml';
  if (stat.isSymbolicLink()) {
    throw new Refusal(`cannot keep state in ${dir}: it is a link: name the folder that it leads to (--state DIR)`);
  }
  if (!stat.isDirectory()) throw new Refusal(`cannot keep state in ${dir}: it is no folder: ${advice}`);
  if (stat.uid !== ownUid) {
    throw new Refusal(
      `cannot keep state in ${dir}: it belongs to uid ${stat.uid}, and this runs as uid ${ownUid}: start as the user who owns it, or ${advice}`,
    );
  }
  checkWritable(dir);
  const isOpen = (stat.mode & 0o077) !== 0;
  if (isOpen) chmodSync(dir, 0o700);
  return isOpen;
}

/** @param {string} dir */
function makeFolder(dir) {
  try {
    mkdirSync(dir, { mode: 0o700 });
  } catch (error) {
    // Somebody was faster: what is there now is looked at like anything else.
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
  }
}
