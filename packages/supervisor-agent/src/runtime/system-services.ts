/**
 * Muster's own services, when it runs as a whole on one machine: the bus, the job that sets it up, the prober and the
 * dashboard. They are services like any other, so the system is kept alive by itself.
 */
import path from 'node:path';
import type { ProbeSpec, ServiceSpec } from '@muster/contracts/config';
import type { AgentConfig } from '../config/agent-config.ts';

export interface SystemLayout {
  /** The clone, or wherever `packages/` lies. */
  readonly rootDir: string;
  readonly natsServer: string;
  /** Where the dashboard listens. */
  readonly dashboard: { readonly host: string; readonly port: number };
  /** The accounts that started Muster: the dashboard answers them without sign-in. */
  readonly owners: readonly number[];
}

const NATS_SERVER = 'nats-server';
/** The job that makes the bus's streams and buckets, or leaves them as they are. */
export const BUS_SETUP = 'bus-setup';
const PROBER_ID = 'main';
const DASHBOARD_ID = 'main';

export function systemServices(config: AgentConfig, layout: SystemLayout): readonly ServiceSpec[] {
  const { stateDir } = config;
  const program = (name: string): string => path.join(layout.rootDir, 'packages', name, 'bundle', 'main.js');
  const credentials = (identity: string): string => path.join(stateDir, 'keys', `${identity}.creds`);
  const environment = (identity: string): Record<string, string> => ({
    MUSTER_STATE_DIR: stateDir,
    MUSTER_CONFIG_DIR: config.configDir,
    MUSTER_ENVIRONMENT: config.environment,
    MUSTER_BUS_URL: config.bus.url,
    MUSTER_BUS_CREDENTIALS: credentials(identity),
  });
  const page = `http://${layout.dashboard.host}:${layout.dashboard.port}/api/health`;
  return [
    {
      ...BARE,
      name: NATS_SERVER,
      command: [layout.natsServer, '-c', path.join(stateDir, 'nats', 'nats.conf')],
      port: config.bus.listen.port,
      probes: probesOf({ kind: 'tcp', host: reachable(config.bus.listen.host), port: config.bus.listen.port }),
    },
    {
      ...BARE,
      name: BUS_SETUP,
      command: [process.execPath, program('cli'), 'bus', 'setup'],
      environment: environment('admin-setup'),
      dependencies: [{ service: NATS_SERVER, condition: 'ready' }],
      job: true,
    },
    {
      ...BARE,
      name: 'health-prober',
      command: [process.execPath, program('health-prober')],
      // Half of these threads look names up, and each waits as long as its name server is silent.
      environment: {
        ...environment(`prober-${PROBER_ID}`),
        MUSTER_PROBER_ID: PROBER_ID,
        UV_THREADPOOL_SIZE: '32',
      },
      dependencies: [{ service: BUS_SETUP, condition: 'completed' }],
    },
    {
      ...BARE,
      name: 'dashboard',
      command: [process.execPath, program('dashboard')],
      environment: {
        ...environment(`dashboard-${DASHBOARD_ID}`),
        MUSTER_DASHBOARD_ID: DASHBOARD_ID,
        MUSTER_OWNERS: layout.owners.join(','),
      },
      dependencies: [{ service: BUS_SETUP, condition: 'completed' }],
      port: layout.dashboard.port,
      healthCheckUrl: page,
      probes: {
        ...probesOf({ kind: 'http', url: page }),
        // It answers 503 while it is blind. That is no reason to restart it: only silence is.
        liveness: steady({ kind: 'tcp', host: layout.dashboard.host, port: layout.dashboard.port }),
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
export function dashboardListen(file: unknown): { readonly host: string; readonly port: number } {
  const listen = typeof file === 'object' && file !== null && 'listen' in file ? String(file.listen) : '';
  const [, host, port] = /^(?:(.+):)?(\d{1,5})$/.exec(listen) ?? [];
  if (port === undefined) return DEFAULT_DASHBOARD;
  return { host: host === undefined ? DEFAULT_DASHBOARD.host : reachable(host), port: Number(port) };
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

/** A wildcard address is for listening; a probe needs a real one. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '[::]' ? '::1' : host.replace(/^\[|\]$/g, '');
}
