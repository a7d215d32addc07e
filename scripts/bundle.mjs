#!/usr/bin/env node
/**
 * Bundles one program, with the libraries it uses, into `<package>/bundle/` (ADR 7 tells why):
 *
 *   node scripts/bundle.mjs PACKAGE_DIR ENTRY
 *
 *   main.js            what is run; a copy of scripts/bundled-main.mjs
 *   main.cjs, …        the program
 *   main.cjs.cache, …  what V8 made of it while it printed its help
 *
 * Checking and declarations are tsc's, which runs before it; tests of single modules use what tsc leaves in dist/.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from 'vite';

/** Vite cannot bundle it. The agent loads it from node_modules when it needs it. */
const EXTERNAL = ['systeminformation'];

const [directory, entry] = process.argv.slice(2);
if (directory === undefined || entry === undefined) throw new Error('usage: node scripts/bundle.mjs PACKAGE_DIR ENTRY');
const root = resolve(directory);
// Workspace packages are taken from their sources.
const conditions = ['@muster/source', 'node', 'import', 'default'];
/** The form that bundled-main.mjs reads: one function, all in ASCII, so that Node has nothing to decode. */
const asFunction = {
  name: 'as-function',
  generateBundle(/** @type {unknown} */ _options, /** @type {import('vite').Rollup.OutputBundle} */ bundle) {
    for (const file of Object.values(bundle)) {
      if (file.type !== 'chunk') continue;
      // Code that V8 was given compiled cannot import(); what is bundled is require()d.
      const outside = file.dynamicImports.filter((name) => !(name in bundle));
      if (outside.length > 0)
        throw new Error(`${file.fileName}: import() of ${outside.join(', ')}, which is not bundled`);
      file.code = `(function (exports, require, module, __filename, __dirname) {${toAscii(file.code)}\n})`;
    }
  },
};

/** @param {string} code */
function toAscii(code) {
  return code.replaceAll(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

await build({
  root,
  configFile: false,
  plugins: [asFunction],
  logLevel: 'warn',
  resolve: { conditions },
  ssr: { noExternal: true, external: EXTERNAL, resolve: { conditions } },
  build: {
    ssr: entry,
    outDir: 'bundle',
    emptyOutDir: true,
    target: 'node20',
    minify: false,
    sourcemap: true,
    rollupOptions: {
      output: { format: 'cjs', comments: false, entryFileNames: 'main.cjs', chunkFileNames: '[name].cjs' },
    },
  },
});
const main = join(root, 'bundle/main.js');
copyFileSync(join(import.meta.dirname, 'bundled-main.mjs'), main);
execFileSync(process.execPath, [main, '--help'], { env: { ...process.env, MUSTER_WRITE_CODE_CACHE: '1' } });
