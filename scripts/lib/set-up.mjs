import { join } from 'node:path';
import { ensureBuild } from './build.mjs';
import { ensureDependencies } from './dependencies.mjs';
import { checkMachine, checkWritable } from './machine.mjs';
import { ensureNatsServer } from './nats-server.mjs';
import { formatDuration } from './progress.mjs';

/**
 * Everything between a fresh clone and a system that can run, each step skipped when it is done already.
 *
 * @param {{ rootDir: string, configDir: string, env: NodeJS.ProcessEnv, progress: import('./progress.mjs').Progress }} options
 * @param {AbortSignal} signal
 * @returns {Promise<string | undefined>} path of the nats-server; undefined when the bus is run by somebody else
 * @throws {import('./refusal.mjs').Refusal}
 */
export async function setUp({ rootDir, configDir, env, progress }, signal) {
  checkMachine({ platform: process.platform, nodeVersion: process.versions.node });
  checkWritable(join(rootDir, '.muster'));
  progress.done('system', `Linux, Node ${process.versions.node}`);

  const timer = startTimer();
  const dependencies = await ensureDependencies(
    { rootDir, env, onInstall: () => progress.begin('dependencies', 'npm ci') },
    signal,
  );
  progress.done('dependencies', dependencies === 'installed' ? `installed in ${timer()}` : dependencies);

  const build = await ensureBuild({ rootDir, env, onBuild: () => progress.begin('build', 'compiling') }, signal);
  progress.done('build', build === 'built' ? `built in ${timer()}` : build);

  // Imported here and not above: only now it is built.
  const { isLoopbackHost, readAgentFile } = await import('@muster/contracts/agent-file');
  const { busUrl, listen } = readAgentFile(configDir);
  if (busUrl !== undefined) {
    progress.done('bus', `${busUrl}, not run from here`);
    return undefined;
  }
  const server = await ensureNatsServer(
    {
      rootDir,
      env,
      isOpen: !isLoopbackHost(listen.host),
      isRoot: process.getuid?.() === 0,
      onInstall: () => progress.begin('nats-server', 'installing'),
    },
    signal,
  );
  progress.done('nats-server', `${server.version} at ${server.path}${server.isNew ? `, installed in ${timer()}` : ''}`);
  return server.path;
}

/** @returns {() => string} the time since the last call, for people */
function startTimer() {
  let since = performance.now();
  return () => {
    const durationMs = performance.now() - since;
    since = performance.now();
    return formatDuration(durationMs);
  };
}
