/**
 * Muster's own services, when it runs as a whole on one machine: the bus, the job that sets it up, its guard, the prober and the
 * dashboard. They are services like any other, so the system is kept alive by itself.
 */
import path from 'node:path';
import { type Listen, MAIN_ID, parseListen, reachableHost } from '@muster/contracts';
import type { ProbeSpec, ServiceSpec } from '@muster/contracts/config';
import { PROGRAM_IDENTITIES, type ProgramName, SERVER_FILES, stateLayout } from '@muster/contracts/files';
import type { AgentConfig } from '../../config/agent-config.ts';
import type { ConfinedPrograms } from '../../confine/confinement.ts';

export interface SystemLayout {
  /** The clone, or wherever `packages/` lies. */
  readonly rootDir: string;
  readonly natsServer: string;
  /** Given when they run as users of their own. */
  readonly confined?: ConfinedPrograms;
  /** Where the dashboard listens. */
  readonly dashboard: Listen;
  /** Which start of the whole system this is: each sets the bus up, which may have been another version's. */
  readonly start?: string | undefined;
  /** The accounts that started Muster: the dashboard answers them without sign-in. */
  readonly owners: readonly number[];
}

const NATS_SERVER = 'nats-server';
/** Go's own measure: beyond it garbage is collected at any price. What is in use may still need more. */
const NATS_MEMORY_LIMIT = '768MiB';
/** The job that makes the bus's streams and buckets, or leaves them as they are. */
export const BUS_SETUP = 'bus-setup';
const BUS_GUARD = 'bus-guard';

export function systemServices(config: AgentConfig, layout: SystemLayout): readonly ServiceSpec[] {
  const { stateDir, configDir, environment: environmentName, bus } = config;
  const { rootDir, confined, owners, dashboard, start } = layout;
  const { keysDir, programsDir, serverDir } = stateLayout(stateDir);
  const bundle = (name: string): string => path.join(rootDir, 'packages', name, 'bundle', 'main.js');
  const environment = (identity: string): Record<string, string> => ({
    MUSTER_STATE_DIR: stateDir,
    MUSTER_CONFIG_DIR: configDir,
    MUSTER_ENVIRONMENT: environmentName,
    MUSTER_BUS_URL: bus.url,
    MUSTER_BUS_CREDENTIALS: path.join(keysDir, `${identity}.creds`),
  });
  const program = (name: ProgramName): Pick<ServiceSpec, 'command' | 'environment' | 'workingDirectory'> => {
    const common = environment(PROGRAM_IDENTITIES[name]);
    if (confined === undefined) return { command: [process.execPath, bundle(name)], environment: common };
    // Not by its name: the folder is where its user finds no way to.
    const folder = `/proc/self/cwd/${name}`;
    return {
      // Node would look where the links lead, and there every folder above is closed.
      command: [confined.node, '--preserve-symlinks', '--preserve-symlinks-main', `${folder}/bundle/main.js`],
      workingDirectory: programsDir,
      environment: {
        ...common,
        MUSTER_STATE_DIR: `${folder}/state`,
        MUSTER_CONFIG_DIR: `${folder}/config`,
        // As the user knows it, for messages.
        MUSTER_CONFIG_SOURCE: configDir,
        MUSTER_BUS_CREDENTIALS: `${folder}/keys/${PROGRAM_IDENTITIES[name]}.creds`,
      },
    };
  };
  const server: Pick<ServiceSpec, 'command' | 'workingDirectory'> =
    confined === undefined
      ? { command: [layout.natsServer, '-c', path.join(serverDir, SERVER_FILES.config)] }
      : {
          command: [confined.natsServer, '-c', SERVER_FILES.confinedConfig],
          workingDirectory: serverDir,
        };
  const prober = program('health-prober');
  const page = program('dashboard');
  const healthUrl = `http://${dashboard.host}:${dashboard.port}/api/health`;
  return [
    {
      ...BARE,
      name: NATS_SERVER,
      ...server,
      environment: { GOMEMLIMIT: NATS_MEMORY_LIMIT },
      port: bus.listen.port,
      probes: probesOf({ kind: 'tcp', host: reachableHost(bus.listen.host), port: bus.listen.port }),
    },
    {
      ...BARE,
      name: BUS_SETUP,
      // Always as the agent's own user: it lives a second, and has the admin's key, which none of the others may see.
      command: [process.execPath, bundle('cli'), 'bus', 'setup'],
      // What it has completed counts for its specification, and so for this start.
      environment: { ...environment('admin-setup'), ...(start !== undefined && { MUSTER_START: start }) },
      dependencies: [{ service: NATS_SERVER, condition: 'ready' }],
      job: true,
    },
    {
      ...BARE,
      // As the agent's own user, beside the keys, which the prober must not have.
      name: BUS_GUARD,
      command: [process.execPath, bundle('cli'), 'bus', 'guard'],
      // Which identities are this machine's own hangs on its name.
      environment: { ...environment('admin-setup'), MUSTER_HOST: config.host },
      dependencies: [{ service: BUS_SETUP, condition: 'completed' }],
    },
    {
      ...BARE,
      name: 'health-prober',
      ...prober,
      // Half of these threads look names up, and each waits as long as its name server is silent.
      environment: { ...prober.environment, MUSTER_PROBER_ID: MAIN_ID, UV_THREADPOOL_SIZE: '32' },
      dependencies: [{ service: BUS_SETUP, condition: 'completed' }],
    },
    {
      ...BARE,
      name: 'dashboard',
      ...page,
      environment: {
        ...page.environment,
        MUSTER_DASHBOARD_ID: MAIN_ID,
        MUSTER_OWNERS: owners.join(','),
      },
      dependencies: [{ service: BUS_SETUP, condition: 'completed' }],
      port: dashboard.port,
      healthCheckUrl: healthUrl,
      probes: {
        ...probesOf({ kind: 'http', url: healthUrl }),
        // It answers 503 while it is blind. That is no reason to restart it: only silence is.
        liveness: steady({ kind: 'tcp', host: dashboard.host, port: dashboard.port }),
      },
    },
  ];
}

/** Root, who runs this agent, and who did so with sudo. */
export function ownersOf(ownUid: number, sudoUid: string | undefined): readonly number[] {
  return [...new Set([0, ownUid, ...(/^\d{1,10}$/.test(sudoUid ?? '') ? [Number(sudoUid)] : [])])];
}

const DEFAULT_DASHBOARD = { host: '127.0.0.1', port: 8003 };

/** `listen` of dashboard.yaml as parsed. What is malformed counts as the default: the dashboard itself refuses it. */
export function dashboardListen(file: unknown): Listen {
  const written = typeof file === 'object' && file !== null && 'listen' in file ? String(file.listen) : '';
  const { host, port } = parseListen(written) ?? DEFAULT_DASHBOARD;
  return { host: reachableHost(host), port };
}

const BARE: Omit<ServiceSpec, 'name' | 'command'> = {
  type: 'process',
  environment: {},
  envFiles: [],
  dependencies: [],
  autoRestart: true,
  maxRestarts: 10,
  stopSignal: 'SIGTERM',
  stopTimeoutMs: 10_000,
  job: false,
  probes: {},
  labels: {},
  logs: { ship: true, rateBytesPerSecond: 65_536, burstBytes: 1_048_576 },
  slowRetry: true,
};

function probesOf(check: ProbeSpec['check']): ServiceSpec['probes'] {
  return {
    startup: { ...steady(check), periodMs: 200, failureThreshold: 300 },
    readiness: steady(check),
    liveness: steady(check),
  };
}

function steady(check: ProbeSpec['check']): ProbeSpec {
  return { check, initialDelayMs: 0, periodMs: 10_000, timeoutMs: 2_000, successThreshold: 1, failureThreshold: 3 };
}
