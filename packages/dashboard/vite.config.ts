import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

const COMPRESSIBLE = /\.(?:js|css|html|svg)$/;

/** A viewer's first visit should not wait for the server to compress: `x.br` and `x.gz` lie beside `x`. Prints what a first view costs. */
function precompress(): Plugin {
  let outDir = '';
  return {
    name: 'precompress',
    apply: 'build',
    configResolved({ build }) {
      outDir = build.outDir;
    },
    async closeBundle() {
      const names = (await readdir(outDir, { recursive: true })).filter((name) => COMPRESSIBLE.test(name)).sort();
      for (const name of names) {
        const path = join(outDir, name);
        const bytes = await readFile(path);
        const brotli = await promisify(brotliCompress)(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
        const gzipped = await promisify(gzip)(bytes, { level: 9 });
        await Promise.all([writeFile(`${path}.br`, brotli), writeFile(`${path}.gz`, gzipped)]);
        this.info(`${name}: ${bytes.length} B, gzip ${gzipped.length} B, brotli ${brotli.length} B`);
      }
    },
  };
}

export default defineConfig({
  root: join(import.meta.dirname, 'web'),
  plugins: [react(), precompress()],
  build: {
    outDir: join(import.meta.dirname, 'dist', 'web'),
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
});
