import { accessSync, constants, mkdirSync } from 'node:fs';
import { Refusal } from './refusal.mjs';

/** The oldest Node that runs the built code and the tool chain. */
const MIN_NODE = [20, 19];

/**
 * @param {{ platform: string, nodeVersion: string }} machine `nodeVersion` without the leading v
 * @throws {Refusal} when Muster cannot run here at all
 */
export function checkMachine({ platform, nodeVersion }) {
  if (platform !== 'linux') {
    throw new Refusal(`Muster's agent runs on Linux only, this is ${platform}: use WSL2 on Windows, or a Linux VM`);
  }
  const [major = 0, minor = 0] = nodeVersion.split('.').map(Number);
  const [minMajor = 0, minMinor = 0] = MIN_NODE;
  if (major < minMajor || (major === minMajor && minor < minMinor)) {
    throw new Refusal(
      `Node ${MIN_NODE.join('.')} or newer is needed, this is ${nodeVersion}: install a newer one and try again`,
    );
  }
}

/**
 * Makes sure that files can be made in `dir`, creating it if need be.
 * @param {string} dir
 * @throws {Refusal}
 */
export function checkWritable(dir) {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    accessSync(dir, constants.W_OK | constants.X_OK);
  } catch (error) {
    const reason = /** @type {NodeJS.ErrnoException} */ (error).code || String(error);
    throw new Refusal(
      `cannot write in ${dir}: ${reason}: run as the user who owns it, or clone into a folder of your own`,
    );
  }
}
