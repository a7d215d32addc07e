#!/usr/bin/env node
/**
 * `npm start`: from a fresh clone to a running system. Runs before `npm ci`, hence on Node alone. This file and the one it imports keep
 * to the syntax of Node 12, which Ubuntu 22.04 still brings: there too the answer is one clear line.
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
