/** What a new user does: clone, start, look, restart a service, stop. Nothing but the clone is there before. */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { freePort, startFixture, startNodeFixture, temporaryDirectory } from '@muster/testkit';
import { expect, test } from 'vitest';
import { environmentOf, prepareSystem, ROOT_DIR, servicesYaml } from './support.ts';

/** `npm ci` and the compilers, on a machine that does other things too. */
const INSTALL_MS = 300_000;

test('a fresh clone starts with one command, is used, and stops without a trace', {
  timeout: 420_000,
}, async (context) => {
  context.skip(!existsSync(path.join(ROOT_DIR, '.git')), 'not a git clone: there is nothing to clone from');
  await using home = await temporaryDirectory();
  const clone = path.join(home.path, 'clone');
  // What is committed: what a colleague would get.
  const cloning = await startFixture('git', ['clone', '--quiet', '--no-hardlinks', ROOT_DIR, clone]);
  expect(await cloning.exited, cloning.lines.join('\n')).toEqual({ code: 0, signal: null });

  const port = await freePort();
  await using system = await prepareSystem({
    services: servicesYaml({
      name: 'rag-api',
      command: 'node examples/services/node/rag-api.mjs',
      port,
      environment: { PORT: port },
      health_check_url: `http://127.0.0.1:${port}/api/health`,
    }),
  });
  await rm(system.stateDir, { recursive: true });
  const { NODE_EXTRA_CA_CERTS: registryCertificates } = process.env;
  const env = {
    ...environmentOf(system),
    ...(registryCertificates !== undefined && { NODE_EXTRA_CA_CERTS: registryCertificates }),
  };

  await using started = await startNodeFixture('scripts/start.mjs', [], { cwd: clone, env, detached: true });
  await started.line(`Muster runs: ${system.dashboardUrl}`, INSTALL_MS);
  expect((await fetch(`${system.dashboardUrl}/api/health`)).status).toBe(200);
  expect((await fetch(system.dashboardUrl)).headers.get('content-type')).toContain('text/html');
  const { generation } = await system.waitUntilReady('rag-api');
  expect((await fetch(`http://127.0.0.1:${port}/api/health`)).status).toBe(200);

  const status = await muster(clone, env, 'status', '--json');
  expect(status.code, status.output).toBe(0);
  expect(status.output).toContain('rag-api');
  const restart = await muster(clone, env, 'restart', 'rag-api');
  expect(restart.code, restart.output).toBe(0);
  await system.waitFor('rag-api', (facts) => facts.generation === generation + 1 && facts.ready === 'yes');

  process.kill(started.pid, 'SIGTERM');
  expect(await started.exited, started.lines.join('\n')).toEqual({ code: 0, signal: null });
  expect(await system.tagged()).toEqual([]);
});

async function muster(clone: string, env: Readonly<Record<string, string>>, ...args: readonly string[]) {
  const run = await startFixture('npx', ['--no-install', 'muster', ...args], { cwd: clone, env });
  const { code } = await run.exited;
  return { code, output: run.lines.join('\n') };
}
