/**
 * The agent: in which order its parts begin, hear of what happens, and end. `detach` leaves the services alone and is what
 * a signal or a vanished launcher means; `shutDown` stops everything in order.
 */
import path from 'node:path';
import type { Incarnation } from '@muster/contracts';
import type { ServiceSpec } from '@muster/contracts/config';
import { type BusSide, openBusSide, tellLost } from '../bus/bus-side.ts';
import { createRunner } from './instance/create-runner.ts';
import type { InstanceRunner, Transition } from './instance/instance-runner.ts';
import { noteSecrets } from './instance/run-spec.ts';
import { hasMoved, type Listener } from './listener.ts';
import { type AgentSetup, buildParts, type Parts } from './parts.ts';
import { InstanceLogs } from './report/instance-logs.ts';
import { stopUnconfigured } from './services/stray-runs.ts';
import type { Supervisor } from './services/supervisor.ts';
import { type Ending, endAll, stopEverything } from './shutdown.ts';

export class Agent {
  readonly #setup: AgentSetup;
  readonly #side: BusSide;
  readonly #parts: Parts;
  /** In the order in which they hear of anything: what has happened is journaled before somebody acts on it. */
  readonly #listeners: readonly Listener[];
  /** In the order in which they end: first nothing happens any more, then what is left to say is written. */
  readonly #endings: readonly Ending[];
  #isEnding = false;

  /** @throws HostTakenError when another agent on this machine speaks for this host */
  static async start(setup: AgentSetup): Promise<Agent> {
    let agent: Agent | undefined;
    const parts = () => (agent === undefined ? undefined : agent.#parts);
    const side = await openBusSide({
      ...setup,
      onHostTaken: (reason) => agent?.onHostTaken(reason),
      onGap: (reason, lost) => parts()?.events.announce('gap', reason, lost),
      onDelivered: (eventId) => parts()?.reporter.delivered(eventId),
      onGoneBack: () => parts()?.incarnation.askNow(),
    });
    agent = new Agent(setup, side);
    await agent.#begin();
    return agent;
  }

  private constructor(setup: AgentSetup, side: BusSide) {
    const { outbox, metricsOutbox, claim } = side;
    const parts = buildParts(setup, side, {
      transition: (runner, transition) => this.#onTransition(runner, transition),
      incarnation: (told) => this.#onIncarnation(told),
    });
    const { prepareQueue, supervisor, statusFile } = parts;
    this.#setup = setup;
    this.#side = side;
    this.#parts = parts;
    this.#listeners = [
      { added: ({ spec }) => noteSecrets(setup.secrets, spec, setup.rootDir) },
      parts.events,
      parts.reporter,
      parts.specs,
      parts.outcomes,
      new InstanceLogs(parts.logs),
      parts.recovery,
      { incarnation: (told) => outbox.learn(told) },
      { incarnation: (told) => metricsOutbox.learn(told) },
      parts.keys,
      parts.busSetup,
      parts.commands,
      { transitioned: () => statusFile.changed(), connection: () => statusFile.changed() },
      { moved: () => prepareQueue.pushBack() },
      supervisor,
      { moved: () => setup.onChange() },
    ];
    this.#endings = [
      parts.looks,
      prepareQueue,
      () => supervisor.detach(),
      () => parts.incarnation.stop(),
      parts.presence,
      parts.remote,
      parts.metrics,
      parts.logs,
      parts.diskWatch,
      parts.reserve,
      parts.keys,
      () => statusFile.writeNow(),
      statusFile,
      parts.store,
      parts.journal,
      () => parts.rollups.save(),
      () => metricsOutbox.close(),
      () => outbox.close(),
      claim,
      parts.registry,
      parts.output,
    ];
  }

  get supervisor(): Supervisor {
    return this.#parts.supervisor;
  }

  /** Stops everything in reverse order; the bus last, once it has all that was to be said. */
  async shutDown(onStopped: (service: string, remaining: number) => void): Promise<void> {
    this.#beginEnding();
    await stopEverything({ ...this.#setup, ...this.#parts, outbox: this.#side.outbox }, onStopped);
    await endAll(this.#endings);
  }

  /** Lets go: the services go on, and the next agent adopts them. */
  async detach(): Promise<void> {
    this.#beginEnding();
    await endAll(this.#endings);
  }

  async #begin(): Promise<void> {
    const { config, identity, logger, refusedConfig, runtimeFolder, services, systemServices, version } = this.#setup;
    const { bus, claim, envelopes } = this.#side;
    const { commands, events, keys, logs, metrics, presence, registry, statusFile, supervisor } = this.#parts;
    tellLost(this.#side, (reason, lost) => events.announce('gap', reason, lost));
    bus.onConnection(({ connected, reason }) => this.#onConnection(connected, reason));
    for (const spec of systemServices) this.#add(spec, true);
    for (const spec of services) this.#add(spec, false);
    logs.start();
    keys.dropFormer();
    events.announce('started', `agent ${version} started with ${services.length} services`);
    if (bus.isConnected) this.#onConnection(true, 'connected before anything was started');
    else if (claim.reason !== undefined) this.onHostTaken(claim.reason);
    if (refusedConfig === '') events.announce('config-loaded', `${services.length + systemServices.length} services`);
    else events.announce('config-refused', refusedConfig);
    this.#tellOfLostIntents(path.join(config.stateDir, 'instances.jsonl'));
    commands.listen();
    presence.start();
    metrics.start();
    const { agentId } = identity;
    await Promise.all([
      stopUnconfigured({ runtimeFolder, agentId, registry, supervisor, events, logger }),
      supervisor.begin([]),
    ]);
    statusFile.writeNow();
    logger.info({ services: services.length, epoch: envelopes.epoch }, 'supervising');
  }

  #add(spec: ServiceSpec, isSystem: boolean): void {
    const runners = [createRunner(spec, isSystem, 0, this.#parts.runnerSurroundings)];
    for (const listener of this.#listeners) listener.added?.({ spec, isSystem, runners });
  }

  #tellOfLostIntents(file: string): void {
    const { store, trouble } = this.#parts;
    if (store.unreadableLines <= 1) return;
    trouble.tell(
      'what was wanted of services may be forgotten: look at them, and stop what must not run',
      `${store.unreadableLines} lines of '${file}' cannot be read`,
    );
  }

  #onTransition(runner: InstanceRunner, transition: Transition): void {
    for (const listener of this.#listeners) listener.transitioned?.(runner, transition);
    if (!hasMoved(transition)) return;
    for (const listener of this.#listeners) listener.moved?.(runner);
  }

  #onConnection(isConnected: boolean, reason: string): void {
    if (this.#isEnding) return;
    for (const listener of this.#listeners) listener.connection?.(isConnected, reason);
  }

  #onIncarnation(told: Incarnation): void {
    const known = this.#side.outbox.incarnation;
    const hasGoneBack = known !== undefined && told.incarnation > known;
    if (hasGoneBack) this.#setup.logger.warn({ incarnation: told.incarnation }, 'the bus has gone back in time');
    for (const listener of this.#listeners) listener.incarnation?.(told, hasGoneBack);
  }

  private onHostTaken(reason: string): void {
    this.#setup.logger.warn({ reason }, 'host id taken');
    this.#parts.events.announce('host-id-taken', reason);
    this.#parts.statusFile.changed();
  }

  #beginEnding(): void {
    this.#isEnding = true;
    for (const listener of this.#listeners) listener.ending?.();
  }
}
