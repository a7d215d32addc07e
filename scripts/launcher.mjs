#!/usr/bin/env node
/**
 * The launcher: parent of one supervisor-agent in the foreground. `npm start` runs it in its own process, after the set-up; run by
 * hand (`node scripts/launcher.mjs [--config DIR] [--state DIR]`) it expects a built clone and MUSTER_NATS_SERVER.
 *
 * It makes the keys (`muster bus keys`: files only, idempotent) unless somebody else runs the bus, who then makes them, and starts the
 * agent as the leader of a session of its own, so that Ctrl-C and a closing terminal reach only the launcher.
 *
 * The agent's environment: that of the launcher without npm's variables, and
 *   MUSTER_STATE_DIR     keys, journals, the bus's data; the agent keeps its random id there, in the file `agent-id`
 *   MUSTER_CONFIG_DIR    services.yaml, agent.yaml, …
 *   MUSTER_EMBEDDED=1    the agent also runs the system's own services: nats-server, bus-setup, bus-guard, health-prober, dashboard
 *   MUSTER_START         of this start: the bus is set up once for each, however often the agent dies
 *   MUSTER_NATS_SERVER   path of the nats-server
 * Its working directory is the clone. Its stdout goes to <state>/agent.log; its stderr, which is for people, to the launcher's.
 *
 * IPC (JSON messages on Node's channel; unknown types are ignored by both):
 *   agent → launcher  {type:'state', services:{<name>:<state>}}      all services, whenever one changed
 *                     {type:'ready', url}                            everything is up; the page's address
 *                     {type:'stopping', service, remaining}          during a shutdown; `remaining` services after this one
 *                     {type:'stopped'}                               nothing is left running; exits 0 next
 *   launcher → agent  {type:'shutdown'}                              stop everything in reverse order, `desired` unchanged
 * A channel that closes without `shutdown` means that the launcher was killed: the agent detaches as on TERM, its services go on,
 * and the next launcher's agent adopts them. A channel that closes after `shutdown` changes nothing: the agent finishes it.
 *
 * Exit codes of the agent: 0 done · 3 configuration or environment refused, not started again · anything else: started again.
 * The agent that is killed while it shuts down is started again as well, adopts, and is asked again.
 */
import { randomUUID } from 'node:crypto';
import { copyFileSync, createWriteStream, openSync, statSync, truncateSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readAgentFile } from '@muster/contracts/agent-file';
import { claimStateFolder } from '@muster/contracts/files';
import { execa } from 'execa';
import { AgentParent } from './lib/agent-parent.mjs';
import { lockInstance } from './lib/instance-lock.mjs';
import { checkWritable } from './lib/machine.mjs';
import { HELP, readOptions } from './lib/options.mjs';
import { Progress } from './lib/progress.mjs';
import { Refusal, reportRefusal } from './lib/refusal.mjs';
import { lastLines, run } from './lib/run.mjs';

const STOP_SIGNALS = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']);
const MAX_AGENT_LOG_BYTES = 32 * 1024 * 1024;
const AGENT_LOG_CHECK_MS = 60_000;

/**
 * Runs Muster until it is stopped.
 *
 * @param {object} options
 * @param {import('./lib/options.mjs').Options} options.paths
 * @param {string | undefined} options.natsServer path; undefined: the agent looks for one
 * @param {Progress} options.progress
 * @param {NodeJS.ProcessEnv} options.env
 * @returns {Promise<0 | 1>} exit code
 * @throws {Refusal} before anything was started
 */
export async function launch({ paths: given, natsServer, progress, env }) {
  const { busUrl, stateDir } = readAgentFile(given.configDir);
  const paths =
    given.isStateDirGiven || stateDir === undefined ? given : { ...given, stateDir: resolve(given.rootDir, stateDir) };
  claimState(paths.stateDir, progress);
  const lock = lockInstance(paths.stateDir);
  try {
    const agentEnv = buildAgentEnvironment(env, paths, natsServer);
    // A bus that somebody else runs comes with their keys.
    if (busUrl === undefined) {
      await makeKeys(paths, agentEnv);
      progress.done('keys', 'ready');
    }
    return await runAgent({ paths, agentEnv, progress, onReady: (url) => lock.publish(url) });
  } finally {
    lock.release();
  }
}

/**
 * Keys, logs and values of environment variables lie in it: no other account may enter.
 * @param {string} stateDir
 * @param {Progress} progress
 * @throws {Refusal}
 */
function claimState(stateDir, progress) {
  try {
    const { paths } = claimStateFolder(stateDir);
    if (paths.includes(stateDir)) {
      progress.say(`Closed ${stateDir} to other users of this machine: it was open to them until now`);
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Refusal(`cannot keep state in ${stateDir}: ${reason} (--state DIR, or state_dir in config/agent.yaml)`);
  }
  checkWritable(stateDir);
}

/**
 * @param {import('./lib/options.mjs').Options} paths
 * @param {NodeJS.ProcessEnv} env
 * @throws {Refusal}
 */
async function makeKeys({ cliFile, rootDir, stateDir }, env) {
  const { code, output } = await run(process.execPath, [cliFile, 'bus', 'keys'], { cwd: rootDir, env });
  if (code === 0) return;
  throw new Refusal(`cannot make the keys of the bus in ${stateDir}: \`muster bus keys\` ended with code ${code}`, {
    details: lastLines(output, 20),
  });
}

/**
 * @param {object} options
 * @param {import('./lib/options.mjs').Options} options.paths
 * @param {NodeJS.ProcessEnv} options.agentEnv
 * @param {Progress} options.progress
 * @param {(url: string) => void} options.onReady
 */
async function runAgent({ paths, agentEnv, progress, onReady }) {
  const logFile = join(paths.stateDir, 'agent.log');
  const parent = new AgentParent({ spawnAgent: () => spawnAgent(paths, agentEnv, logFile), progress, onReady });
  // The handlers stay to the very end: a signal that npm passes on may arrive after the stop, and must not end this process.
  const onSignal = () => parent.signal();
  // Once the terminal is closed every write fails. The stop goes on all the same.
  const ignore = () => {};
  for (const signal of STOP_SIGNALS) process.on(signal, onSignal);
  for (const stream of [process.stdout, process.stderr]) stream.on('error', ignore);
  const logTimer = setInterval(() => boundLog(logFile), AGENT_LOG_CHECK_MS);
  try {
    const code = await parent.over;
    progress.say(code === 0 ? 'Stopped: nothing is left running' : `Ended; the agent's log is ${logFile}`);
    return code;
  } finally {
    clearInterval(logTimer);
  }
}

/**
 * @param {import('./lib/options.mjs').Options} paths
 * @param {NodeJS.ProcessEnv} env
 * @param {string} logFile
 */
function spawnAgent({ agentFile, rootDir }, env, logFile) {
  // execa hands a stream that has a descriptor to the agent itself, so the agent can log without a launcher.
  const log = createWriteStream(logFile, { fd: openSync(logFile, 'a', 0o600) });
  try {
    const agent = execa(process.execPath, [agentFile], {
      cwd: rootDir,
      env,
      extendEnv: false,
      detached: true,
      cleanup: false,
      ipc: true,
      serialization: 'json',
      stdio: ['ignore', log, 'pipe'],
      buffer: false,
      reject: false,
    });
    agent.stderr.on('data', (bytes) => process.stderr.write(bytes));
    return agent;
  } finally {
    log.destroy();
  }
}

/**
 * @param {NodeJS.ProcessEnv} env
 * @param {import('./lib/options.mjs').Options} paths
 * @param {string | undefined} natsServer
 * @returns {NodeJS.ProcessEnv}
 */
function buildAgentEnvironment(env, { stateDir, configDir }, natsServer) {
  const own = Object.entries(env).filter(([name]) => !name.startsWith('npm_') && name !== 'INIT_CWD');
  return {
    ...Object.fromEntries(own),
    MUSTER_STATE_DIR: stateDir,
    MUSTER_CONFIG_DIR: configDir,
    MUSTER_EMBEDDED: '1',
    MUSTER_START: randomUUID(),
    ...(natsServer === undefined ? {} : { MUSTER_NATS_SERVER: natsServer }),
  };
}

/** Keeps one old log. The agent appends, so cutting the file under it is safe; a line written between copy and cut is lost. @param {string} file */
function boundLog(file) {
  const { size = 0 } = statSync(file, { throwIfNoEntry: false }) ?? {};
  if (size <= MAX_AGENT_LOG_BYTES) return;
  copyFileSync(file, `${file}.1`);
  truncateSync(file);
}

async function main() {
  const progress = new Progress(process.stdout, process.env);
  try {
    const paths = readOptions(process.argv.slice(2), process.env, fileURLToPath(new URL('..', import.meta.url)));
    if (paths.help) {
      progress.say(HELP);
      return 0;
    }
    return await launch({ paths, natsServer: process.env.MUSTER_NATS_SERVER, progress, env: process.env });
  } catch (error) {
    return reportRefusal(error, process.stderr);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exit(await main());
