import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ServiceSpec } from '@muster/contracts/config';
import { InstanceRunner, type Transition } from '../../src/runtime/instance/instance-runner.ts';
import type { ProbeFinding } from '../../src/runtime/instance/probe-runner.ts';
import { policyOf } from '../../src/runtime/instance/service-policy.ts';
import { Supervisor } from '../../src/runtime/services/supervisor.ts';
import { MemoryDriver } from './memory-driver.ts';

export interface MemoryService {
  readonly spec: ServiceSpec;
  readonly isSystem?: boolean;
  /** This host has no driver for it, and why. */
  readonly driverLack?: string;
}

export interface MemoryHostOptions {
  readonly services: readonly MemoryService[];
  readonly onTransition?: (runner: InstanceRunner, transition: Transition) => void;
  /** What is known of dependencies on other hosts; default: nothing. */
  readonly remote?: ConstructorParameters<typeof Supervisor>[0];
  /** Told of bugs; default: they end the test. */
  readonly onBug?: (what: string, error: unknown) => void;
}

const END_THE_TEST = (what: string, error: unknown) => {
  throw new Error(what, { cause: error });
};
const NOBODY_TELLS = () => ({ isMet: false, reason: 'nobody tells' });

/** Real runners under a real supervisor; processes, probes and the disk are in memory. */
export class MemoryHost implements Disposable {
  readonly driver = new MemoryDriver();
  readonly supervisor: Supervisor;
  readonly #judges = new Map<string, (finding: ProbeFinding) => void>();

  constructor({ services, onTransition, remote = NOBODY_TELLS, onBug = END_THE_TEST }: MemoryHostOptions) {
    this.supervisor = new Supervisor(remote);
    for (const { spec, isSystem = false, driverLack } of services) {
      const runner: InstanceRunner = new InstanceRunner({
        key: { agentId: 'a1', service: spec.name, instance: 0 },
        policy: policyOf(spec, isSystem),
        driver: driverLack === undefined ? this.driver : undefined,
        ...(driverLack !== undefined && { driverLack }),
        resolveRun: (generation) => ({
          agentId: 'a1',
          service: spec.name,
          instance: 0,
          generation,
          command: spec.command,
          cwd: '/',
          environment: {},
          specHash: 'hash',
          logFiles: { stdout: '/dev/null', stderr: '/dev/null' },
        }),
        saved: {},
        save: () => {},
        onTransition: (transition) => {
          onTransition?.(runner, transition);
          this.supervisor.moved(runner);
        },
        openProbes: (_generation, onFinding) => {
          this.#judges.set(spec.name, onFinding);
          return { start: () => {}, [Symbol.dispose]: () => {} };
        },
        prepareLater: () => {},
        askRecovery: async () => ({ granted: true, reason: 'nobody minds' }),
        explainExit: () => undefined,
        onBug,
      });
      this.supervisor.added({ spec, isSystem, runners: [runner] });
    }
  }

  runner(service: string): InstanceRunner {
    const runner = this.supervisor.service(service)?.runners[0];
    if (runner === undefined) throw new Error(`no service '${service}' in this test`);
    return runner;
  }

  /** `<service> <state>` of all services, in the order of their configuration. */
  states(): readonly string[] {
    return [...this.supervisor.runners()].map(({ key, state }) => `${key.service} ${state.name}`);
  }

  /** What its probes find. */
  async find(service: string, finding: ProbeFinding): Promise<void> {
    this.#judges.get(service)?.(finding);
    await this.settled();
  }

  /** Everything in memory answers within one turn of the event loop. */
  async settled(): Promise<void> {
    await nextTurn();
  }

  [Symbol.dispose](): void {
    this.supervisor.detach();
  }
}

/** A plain service with every default filled in. */
export function specOf(name: string, overrides: Partial<ServiceSpec> = {}): ServiceSpec {
  return {
    name,
    type: 'process',
    command: ['true'],
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
    ...overrides,
  };
}

/** Its test says when it is ready (`MemoryHost.find`). */
export function probed(name: string, overrides: Partial<ServiceSpec> = {}): ServiceSpec {
  const check = { kind: 'tcp', host: '127.0.0.1', port: 1 } as const;
  const readiness = {
    check,
    initialDelayMs: 0,
    periodMs: 1_000,
    timeoutMs: 1_000,
    successThreshold: 1,
    failureThreshold: 3,
  };
  return specOf(name, { probes: { readiness }, ...overrides });
}
