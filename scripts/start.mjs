#!/usr/bin/env node
/**
 * `npm start`: from a fresh clone to a running system.
 *
 *   before the set-up  this file, `lib/start.mjs` and what they import: on Node alone, for nothing is installed or built yet. What they
 *                      share with the programs is plain JavaScript in `packages/contracts/src/plain`
 *   after it           `launcher.mjs` and what it imports: may use what is installed, and `@muster/contracts` as it was built
 *
 * This file and those that it imports at once keep to the syntax of Node 12, which Ubuntu 22.04 still brings: there too the answer is
 * one clear line.
 */
import { checkMachine } from './lib/machine.mjs';

function main() {
  try {
    checkMachine({ platform: process.platform, nodeVersion: process.versions.node });
  } catch (error) {
    process.stderr.write(`muster: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  }
  import('./lib/start.mjs')
    .then(({ start }) => start())
    .then((code) => process.exit(code))
    .catch((error) => {
      process.stderr.write(`muster: a bug: ${error instanceof Error ? error.stack : String(error)}\n`);
      process.exit(1);
    });
}

main();
