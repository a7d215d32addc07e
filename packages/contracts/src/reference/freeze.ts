/*
 * Keeps the wire of a version that is released, so that every later one is tested against it:
 *
 *   npm run freeze -w packages/contracts -- v1.1 [KIND...]
 *
 * A KIND is the beginning of the name of golden files that no program of this version sends yet: they are left out.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freeze } from './documents.ts';

const [version, ...leftOut] = process.argv.slice(2);
if (version === undefined || !/^v1\.\d+$/.test(version)) {
  process.stderr.write('usage: freeze v1.<number> [kind to leave out...]\n');
  process.exitCode = 2;
} else {
  const frozen = freeze((golden) => leftOut.some((kind) => golden.startsWith(kind)));
  const file = join(import.meta.dirname, '../../golden/frozen', `${version}.json`);
  // What is frozen stays as it is.
  writeFileSync(file, `${JSON.stringify(frozen, undefined, 1)}\n`, { flag: 'wx' });
  process.stdout.write(`${file}\n`);
}
