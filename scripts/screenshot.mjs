#!/usr/bin/env node
/**
 * Makes docs/images/dashboard.png: a whole system in directories of its own, the example services, something that went
 * wrong and was healed, and the page as a browser shows it. Needs a built clone and chromium.
 *
 *   node scripts/screenshot.mjs [FILE]
 */
import { mkdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { findChromium, freePort, startMusterSystem } from '../packages/testkit/dist/index.js';

const rootDir = fileURLToPath(new URL('..', import.meta.url));
const file = resolve(process.argv[2] ?? `${rootDir}docs/images/dashboard.png`);
const executablePath = findChromium();
if (executablePath === undefined) throw new Error('no Chromium on PATH: install chromium');
/** Long enough for a line of latencies and a few metrics. */
const HISTORY_MS = 45_000;

async function servicesYaml() {
  const examples = ['search-discovery-api', 'rag-api', 'analytics-api'];
  const entries = [];
  for (const name of examples) {
    const port = await freePort();
    entries.push(
      `  - name: ${name}
    command: node examples/services/node/${name}.mjs
    port: ${port}
    health_check_url: http://127.0.0.1:${port}/api/health
    probes: { readiness: { http: { path: /api/health }, period: 1s } }
    environment: { PORT: ${port} }
    dependencies: [${name === 'rag-api' ? 'search-discovery-api' : ''}]`,
    );
  }
  return `services:
${entries.join('\n')}
  - name: nightly-import
    command: [sh, -c, "sleep 2; echo imported 4711 documents"]
    job: true
  - name: mail-gateway
    command: [sh, -c, "sleep 1; echo cannot reach smtp.internal >&2; exit 2"]
  - name: thumbnailer
    command: [sleep, "100000"]
    dependencies: [image-store]
`;
}

const system = await startMusterSystem({ host: 'web1', environment: 'production', services: await servicesYaml() });
try {
  await system.waitUntilUp();
  await system.waitUntilReady('rag-api');
  const { pid } = await system.waitUntilReady('analytics-api');
  process.kill(pid ?? 0, 'SIGKILL');
  await system.waitUntilReady('analytics-api');
  const browser = await chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  const page = await browser.newPage({
    viewport: { width: 1280, height: 800 },
    colorScheme: 'dark',
    deviceScaleFactor: 1.5,
  });
  await page.goto(system.dashboardUrl);
  await page.getByText('rag-api').first().waitFor();
  await page.waitForTimeout(HISTORY_MS);
  await mkdir(dirname(file), { recursive: true });
  await page.screenshot({ path: file, fullPage: true });
  await browser.close();
  process.stdout.write(`${file}\n`);
} finally {
  await system[Symbol.asyncDispose]();
}
