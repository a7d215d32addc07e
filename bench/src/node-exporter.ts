/**
 * node_exporter, the peer of the metrics tick. It is no dependency of Muster: Debian's package is unpacked into
 * `.muster/bench` at the first run.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { freePort } from '@muster/testkit';
import type { PeerProgram } from './pm2.ts';
import { bareEnvironment, readCpuMs } from './processes.ts';
import { waitUntil } from './wait-until.ts';

/** As much of the set-up's script as is used here. */
interface Apt {
  fetchPackage(
    name: string,
    options: { readonly env: NodeJS.ProcessEnv; readonly intoDir: string; readonly minVersion: string },
    signal: AbortSignal,
  ): Promise<{ readonly ok: true } | { readonly ok: false; readonly reason: string }>;
}

const PACKAGE = 'prometheus-node-exporter';
/** Debian 11's; older ones have other collectors. */
const MIN_VERSION = '1.0.0';
const WARM_UP_SCRAPES = 5;
const PAUSE_MS = 50;

/** Fetches it when it is not there yet. */
export async function findNodeExporter(rootDir: string, signal: AbortSignal): Promise<PeerProgram> {
  const intoDir = path.join(rootDir, '.muster', 'bench', 'node_exporter');
  const file = path.join(intoDir, 'usr/bin', PACKAGE);
  if (existsSync(file)) return { kind: 'found', file };
  const apt = (await import(pathToFileURL(path.join(rootDir, 'scripts/lib/apt.mjs')).href)) as Apt;
  const outcome = await apt.fetchPackage(PACKAGE, { env: process.env, intoDir, minVersion: MIN_VERSION }, signal);
  if (outcome.ok) return { kind: 'found', file };
  return { kind: 'missing', reason: `node_exporter can't be fetched: ${outcome.reason}` };
}

/** CPU (user and system) of one scrape with the default collectors, in ms, as the mean of many. */
export async function cpuOfScrapes(program: string, scrapes: number, signal: AbortSignal): Promise<number> {
  const address = `127.0.0.1:${await freePort()}`;
  const exporter = spawn(program, [`--web.listen-address=${address}`], { env: bareEnvironment(), stdio: 'ignore' });
  const exited = once(exporter, 'exit');
  const { pid } = exporter;
  try {
    if (pid === undefined) throw new Error(`'${program}' can't be started`);
    const scrape = async (): Promise<boolean> => {
      const response = await fetch(`http://${address}/metrics`, { signal });
      await response.text();
      return response.ok;
    };
    await waitUntil(() => scrape().catch(() => false), { what: 'node_exporter', signal });
    for (let count = 0; count < WARM_UP_SCRAPES; count += 1) await scrape();
    const beforeMs = readCpuMs(pid);
    for (let count = 0; count < scrapes; count += 1) {
      await scrape();
      await delay(PAUSE_MS, undefined, { signal });
    }
    return (readCpuMs(pid) - beforeMs) / scrapes;
  } finally {
    exporter.kill('SIGKILL');
    await exited;
  }
}
