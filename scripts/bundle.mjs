#!/usr/bin/env node
/**
 * Bundles one program, with the libraries it uses, into `<package>/bundle/main.js` (ADR 7 tells why):
 *
 *   node scripts/bundle.mjs PACKAGE_DIR ENTRY
 *
 * Checking and declarations are tsc's, which runs before it; tests of single modules use what tsc leaves in dist/.
 */
import { resolve } from 'node:path';
import { build } from 'vite';

/** Loaded when they are needed, or at odds with being bundled; they stay in node_modules. */
const EXTERNAL = [
  'systeminformation',
  'execa',
  'fastify',
  '@fastify/static',
  'ws',
  '@peculiar/x509',
  'reflect-metadata',
];

const [directory, entry] = process.argv.slice(2);
if (directory === undefined || entry === undefined) throw new Error('usage: node scripts/bundle.mjs PACKAGE_DIR ENTRY');
const root = resolve(directory);
// Workspace packages are taken from their sources.
const conditions = ['@muster/source', 'node', 'import', 'default'];
await build({
  root,
  configFile: false,
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
    rollupOptions: { output: { entryFileNames: 'main.js', chunkFileNames: '[name].js' } },
  },
});
