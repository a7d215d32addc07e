import type { ServiceSpec } from '@muster/contracts/config';
import { probe } from '@muster/probes';
import type { Confinement } from '../../confine/confinement.ts';
import type { DriverRegistry } from '../../drivers/registry.ts';
import { type InstanceStore, keyOf } from '../../state/instance-store.ts';
import { explainExit } from './explain-exit.ts';
import { InstanceRunner, type Transition } from './instance-runner.ts';
import type { PrepareQueue } from './prepare-queue.ts';
import { ProbeRunner } from './probe-runner.ts';
import type { RecoveryPermission } from './recovery-permission.ts';
import { type RunSurroundings, runSpecOf } from './run-spec.ts';
import { policyOf } from './service-policy.ts';
import type { VotePublisher } from './vote-publisher.ts';

/** What every runner of this agent works with. */
export interface RunnerSurroundings {
  readonly agentId: string;
  readonly run: RunSurroundings;
  readonly registry: DriverRegistry;
  /** Of Muster's own services those that run as a user of their own. */
  readonly confined: ReadonlyMap<string, Confinement>;
  readonly store: InstanceStore;
  readonly votes: VotePublisher;
  readonly recovery: RecoveryPermission;
  readonly prepareQueue: PrepareQueue;
  readonly onTransition: (runner: InstanceRunner, transition: Transition) => void;
  readonly onBug: (service: string, what: string, error: unknown) => void;
}

/** What the system's own services write, such as the store of the bus, is for nobody else. */
const SYSTEM_UMASK = 0o077;

/** The runner of one instance of a configured service. */
export function createRunner(
  spec: ServiceSpec,
  isSystem: boolean,
  instance: number,
  surroundings: RunnerSurroundings,
): InstanceRunner {
  const { agentId, registry, store, votes, recovery, prepareQueue } = surroundings;
  const key = { agentId, service: spec.name, instance };
  const around = isSystem ? { ...surroundings.run, umask: SYSTEM_UMASK } : surroundings.run;
  const lookup = registry.find(spec.type);
  const confinement = isSystem ? surroundings.confined.get(spec.name) : undefined;
  const runner: InstanceRunner = new InstanceRunner({
    key,
    policy: policyOf(spec, isSystem),
    driver: lookup.kind === 'driver' ? lookup.driver : undefined,
    ...(lookup.kind === 'unavailable' && { driverLack: lookup.reason }),
    resolveRun: (generation) => runSpecOf(spec, key, generation, around, confinement?.account()),
    ...(confinement !== undefined && { beforeStart: () => confinement.prepare() }),
    saved: store.load(spec.name, instance),
    save: (persisted, marks) => store.save(spec.name, instance, persisted, marks),
    onTransition: (transition) => surroundings.onTransition(runner, transition),
    openProbes: (generation, onFinding) =>
      new ProbeRunner({
        probes: spec.probes,
        ask: probe,
        onFinding,
        onResult: (purpose, check, result) => votes.publish({ key, generation, purpose, check }, result),
      }),
    prepareLater: (task) => prepareQueue.add(keyOf(spec.name, instance), task),
    askRecovery: (generation, reason) => recovery.ask(key, generation, reason),
    explainExit: (exit, livedMs) => explainExit(spec, exit, livedMs),
    onBug: (what, error) => surroundings.onBug(spec.name, what, error),
  });
  return runner;
}
