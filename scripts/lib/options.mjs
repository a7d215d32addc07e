import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Refusal } from './refusal.mjs';

/**
 * @typedef {object} Options
 * @property {boolean} help
 * @property {string} rootDir the clone
 * @property {string} stateDir absolute
 * @property {boolean} isStateDirGiven by flag or environment; if not, agent.yaml may name another
 * @property {string} configDir absolute
 * @property {string} agentFile the program to be parent of
 * @property {string} cliFile the program that makes the keys
 */

/**
 * What `npm start` was asked to do. Flags win over the environment; the environment wins over the clone's own folders. Relative paths
 * start at the clone, where npm runs its scripts.
 *
 * @param {readonly string[]} argv without node and the script
 * @param {Readonly<Record<string, string | undefined>>} env
 * @param {string} rootDir
 * @returns {Options}
 * @throws {Refusal} with exit code 2 on an unknown flag or a flag without its value
 */
export function readOptions(argv, env, rootDir) {
  const values = parse(argv);
  const packages = resolve(rootDir, 'packages');
  const stateDir = values.state ?? env.MUSTER_STATE_DIR;
  return {
    help: values.help ?? false,
    rootDir,
    stateDir: resolve(rootDir, stateDir || '.muster'),
    isStateDirGiven: Boolean(stateDir),
    configDir: resolve(rootDir, values.config ?? (env.MUSTER_CONFIG_DIR || 'config')),
    agentFile: resolve(values.agent ?? resolve(packages, 'supervisor-agent/bundle/main.js')),
    cliFile: resolve(values.cli ?? resolve(packages, 'cli/bundle/main.js')),
  };
}

/** @param {readonly string[]} argv */
function parse(argv) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        help: { type: 'boolean', short: 'h' },
        config: { type: 'string' },
        state: { type: 'string' },
        agent: { type: 'string' },
        cli: { type: 'string' },
      },
    }).values;
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('. ')[0] : String(error);
    throw new Refusal(`${reason}: see \`npm start -- --help\``, { exitCode: 2 });
  }
}

/** What `npm start -- --help` prints. */
export const HELP = `Usage: npm start [-- FLAGS]

Starts Muster on this machine: installs what is missing, builds what changed, then runs one supervisor-agent
with its own NATS server, health-prober, dashboard and the services of config/services.yaml.
Ctrl-C stops everything in reverse order. The services survive a crash of the agent, which is started again.

Flags
  --config DIR   folder of services.yaml, agent.yaml, … (default: config/ of the clone)
  --state DIR    folder for keys, journals and the bus's data (default: state_dir of agent.yaml, else .muster/ of the clone)
  -h, --help     print this and do nothing

Environment
  MUSTER_CONFIG_DIR, MUSTER_STATE_DIR   the same as the flags, which win
  MUSTER_NATS_SERVER                    path of the nats-server to use, instead of looking for one
  NO_COLOR                              plain output

Exit code: 0 stopped in order, or already running here · 1 could not start or stop · 2 wrong use`;
