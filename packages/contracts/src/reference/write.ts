/*
 * Writes the documents of the wire: `npm run docs`. The argument is the folder to write into.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { generateDocuments } from './documents.ts';

const folder = process.argv[2];
if (folder === undefined) {
  process.stderr.write('usage: write <folder>\n');
  process.exitCode = 2;
} else {
  for (const [name, text] of Object.entries(generateDocuments())) {
    const file = join(folder, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}
