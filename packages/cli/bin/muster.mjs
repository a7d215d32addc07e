#!/usr/bin/env node
import { existsSync } from 'node:fs';

// Plain JavaScript, so that it can say what to do in a clone that is not built yet.
const main = new URL('../bundle/main.js', import.meta.url);

if (existsSync(main)) {
  await import(main.href);
} else {
  console.error('muster is not built yet: run npm start (or npm run build) first');
  process.exitCode = 1;
}
