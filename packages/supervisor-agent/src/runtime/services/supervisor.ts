/**
 * All instances of this host together: who waits for whom, and the order of an orderly stop. Dependencies are an
 * invariant, not a moment: after every transition it is asked again what each dependent lacks.
 */
import { type Dependency, isRemote, type RemoteStatus, type TargetState, unmetReason } from '../../core/dependency.ts';
import { mayStop, type ServiceNode } from '../../core/dependency-order.ts';
import type { Event } from '../../core/event.ts';
import type { StateName } from '../../core/state.ts';
import type { SampledInstance } from '../../host/service-sampler.ts';
import type { InstanceRunner } from '../instance/instance-runner.ts';
import type { Listener } from '../listener.ts';
import { dependenciesOf, type ManagedService } from './managed-service.ts';

/** Nothing of it lives and nothing will start by itself. */
const AT_REST: ReadonlySet<StateName> = new Set(['stopped', 'completed', 'failed', 'pending', 'orphaned', 'unknown']);

export class Supervisor implements Listener {
  readonly #services = new Map<string, ManagedService>();
  readonly #remote: (dependency: Dependency) => RemoteStatus;
  /** Who depends on a service directly. */
  readonly #dependents = new Map<string, readonly ManagedService[]>();
  /** What was last told to each service; `undefined` before the first time. */
  readonly #toldUnmet = new Map<string, string | null>();
  readonly #restWaiters = new Set<() => void>();
  /** What is being stopped for good. */
  #held: ReadonlySet<string> = new Set();

  /** `remote`: what is known of a dependency on another host. */
  constructor(remote: (dependency: Dependency) => RemoteStatus) {
    this.#remote = remote;
  }

  added(service: ManagedService): void {
    this.#services.set(service.spec.name, service);
    for (const { target } of dependenciesOf(service.spec)) {
      this.#dependents.set(target, [...(this.#dependents.get(target) ?? []), service]);
    }
  }

  get services(): Iterable<ManagedService> {
    return this.#services.values();
  }

  service(name: string): ManagedService | undefined {
    return this.#services.get(name);
  }

  runner(name: string, instance: number): InstanceRunner | undefined {
    return this.#services.get(name)?.runners[instance];
  }

  *runners(): Iterable<InstanceRunner> {
    for (const { runners } of this.#services.values()) yield* runners;
  }

  /** What lives, for its metrics. */
  sampledInstances(): readonly SampledInstance[] {
    return [...this.runners()].flatMap(({ key: { service, instance }, run }) =>
      run === undefined ? [] : [{ service, instance, pids: [run.pid] }],
    );
  }

  /** Finds what lives already, then starts what is wanted. Settles once every driver has answered. */
  async begin(causes: readonly string[]): Promise<void> {
    // Told before anything may start: an instance holds back until it has heard of its dependencies.
    this.#checkDependencies(this.#services.values());
    await Promise.all([...this.runners()].map((runner) => runner.recover(causes)));
    this.#checkDependencies(this.#services.values());
    // Whoever stops everything meanwhile waits also for the drivers' answers, and not each answer is a transition.
    this.#goOnHolding();
  }

  /** Orphans may have ended since they were found, by whoever was told of them: then what is wanted of them goes on. */
  async lookAtOrphans(): Promise<void> {
    const orphans = [...this.runners()].filter(({ state, isRecovering }) => state.name === 'orphaned' && !isRecovering);
    await Promise.all(orphans.map((runner) => runner.recover()));
  }

  /** What depends on it may have to start, or to stop. */
  moved({ key }: InstanceRunner): void {
    this.#checkDependencies(this.#dependents.get(key.service) ?? []);
    this.#goOnHolding();
  }

  /** To be called when what is known of other hosts has changed. */
  remoteChanged(): void {
    this.#checkDependencies([...this.#services.values()].filter(({ spec }) => dependenciesOf(spec).some(isRemote)));
  }

  #checkDependencies(services: Iterable<ManagedService>): void {
    const facts = { local: (target: string) => this.#lookUp(target), remote: this.#remote };
    for (const { spec, runners } of services) {
      const reason = unmetReason(dependenciesOf(spec), facts);
      if (this.#toldUnmet.get(spec.name) === reason) continue;
      this.#toldUnmet.set(spec.name, reason);
      const event: Event = reason === null ? { type: 'dependencies-met' } : { type: 'dependencies-unmet', reason };
      for (const runner of runners) runner.post(event);
    }
  }

  /**
   * Stops these services in reverse order: one once nothing that depends on it lives, and Muster's own after all others.
   * `desired` stays as it is. Settles when they are at rest; there is no way back.
   */
  async hold(names: ReadonlySet<string>, onStopped: (service: string, remaining: number) => void): Promise<void> {
    this.#held = new Set([...this.#held, ...names]);
    const waitsFor = new Set(names);
    const living = new Set([...names].filter((name) => this.#isAlive(name)));
    await new Promise<void>((resolve) => {
      const look = (): void => {
        for (const name of waitsFor) {
          if (!this.#isAtRest(name)) continue;
          waitsFor.delete(name);
          if (living.delete(name)) onStopped(name, living.size);
        }
        if (waitsFor.size > 0) return;
        this.#restWaiters.delete(look);
        resolve();
      };
      this.#restWaiters.add(look);
      this.#holdWhatMay();
      look();
    });
  }

  detach(): void {
    for (const runner of this.runners()) runner.detach();
  }

  #goOnHolding(): void {
    this.#holdWhatMay();
    for (const wake of this.#restWaiters) wake();
  }

  #holdWhatMay(): void {
    if (this.#held.size === 0) return;
    const nodes = this.#stopOrder();
    for (const name of this.#held) {
      if (!mayStop(name, nodes, (dependent) => this.#isAtRest(dependent))) continue;
      for (const runner of this.#services.get(name)?.runners ?? []) {
        if (!runner.state.persisted.isHeld) runner.post({ type: 'hold' });
      }
    }
  }

  #isAlive(name: string): boolean {
    return (this.#services.get(name)?.runners ?? []).some(({ state }) => !AT_REST.has(state.name));
  }

  #isAtRest(name: string): boolean {
    const runners = this.#services.get(name)?.runners ?? [];
    return runners.every(
      ({ state, isRecovering }) => !isRecovering && state.persisted.isHeld && AT_REST.has(state.name),
    );
  }

  /** The configured graph, and every user's service as if it depended on Muster's own. */
  #stopOrder(): readonly ServiceNode[] {
    const all = [...this.#services.values()];
    const system: readonly Dependency[] = all
      .filter(({ isSystem }) => isSystem)
      .map(({ spec }) => ({ target: spec.name, condition: 'started' }));
    return all.map(({ spec, isSystem }) => ({
      service: spec.name,
      dependsOn: isSystem ? dependenciesOf(spec) : [...dependenciesOf(spec), ...system],
    }));
  }

  #lookUp(target: string): readonly TargetState[] | undefined {
    return this.#services.get(target)?.runners.map(({ state, policy }) => ({
      name: state.name,
      isReady: state.name === 'running' && state.ready === 'yes',
      isJob: policy.kind === 'job',
    }));
  }
}
