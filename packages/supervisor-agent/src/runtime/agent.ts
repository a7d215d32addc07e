/**
 * The agent: what it is made of, in which order that comes up, and the two ways it ends. `detach` leaves the services
 * alone and is what a signal or a vanished launcher means; `shutDown` stops everything in order.
 */
import path from 'node:path';
import { type Incarnation, type InstanceEvent, keys, rows, type StatusFile } from '@muster/contracts';
import { followIncarnation, type IncarnationQuestions, NoStreamError, type Outbox } from '@muster/contracts/bus';
import type { ServiceSpec } from '@muster/contracts/config';
import type { Logger } from 'pino';
import type { AgentConfig } from '../config/agent-config.ts';
import type { Confinement } from '../confine/confinement.ts';
import { createDriverRegistry, type DriverRegistry } from '../drivers/registry.ts';
import { askInventory } from '../host/ask-inventory.ts';
import { DiskWatch } from '../log/disk-watch.ts';
import { readHostLogs } from '../log/host-logs.ts';
import { LogShipping, logFilesOf } from '../log/log-shipping.ts';
import { messageOf } from '../message-of.ts';
import { Output } from '../output/output.ts';
import type { AgentIdentity } from './agent-identity.ts';
import { AgentKeys } from './agent-keys.ts';
import { type BusSide, openBusSide } from './bus-side.ts';
import type { ClaimedBus } from './claimed-bus.ts';
import { CommandJournal } from './command-journal.ts';
import { CommandOutcomes } from './command-outcomes.ts';
import { Commands } from './commands.ts';
import type { Envelopes } from './envelopes.ts';
import { Freshness } from './freshness.ts';
import { HostEvents } from './host-events.ts';
import { type HostKey, readHostKey } from './host-key.ts';
import type { InstanceRunner, Transition } from './instance-runner.ts';
import { InstanceStore, keyOf } from './instance-store.ts';
import { manageService, type RunnerSurroundings } from './managed-services.ts';
import { MetricsPublisher } from './metrics-publisher.ts';
import { PrepareQueue } from './prepare-queue.ts';
import { Presence } from './presence.ts';
import { RecoveryPermission } from './recovery-permission.ts';
import { RemoteDependencies } from './remote-dependencies.ts';
import { Reporter } from './reporter.ts';
import { Rollups } from './rollups.ts';
import { ownEnvironment } from './run-spec.ts';
import type { Secrets } from './secrets.ts';
import { specEntryOf } from './spec-entry.ts';
import { ReserveKeeper } from './state-reserve.ts';
import { StatusFileWriter } from './status-file-writer.ts';
import { stopStrayRuns } from './stray-runs.ts';
import { type ManagedService, Supervisor } from './supervisor.ts';
import { BUS_SETUP } from './system-services.ts';
import { VotePublisher } from './vote-publisher.ts';

export interface AgentSetup {
  readonly config: AgentConfig;
  readonly identity: AgentIdentity;
  readonly version: string;
  /** The agent's main file. */
  readonly program: string;
  /** Relative paths of services.yaml start here. */
  readonly rootDir: string;
  readonly runtimeFolder: string;
  /** For the services of services.yaml. */
  readonly umask: number;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What the last agent on this state directory had to say. */
  readonly former: StatusFile | undefined;
  readonly services: readonly ServiceSpec[];
  /** Muster's own, when it runs as a whole on this machine. */
  readonly systemServices: readonly ServiceSpec[];
  /** Those of them that run as a user of their own. */
  readonly confined: ReadonlyMap<string, Confinement>;
  /** Those of them that this agent itself needs to the last. */
  readonly lastToStop: readonly string[];
  /** Why a changed services.yaml is not in force; empty when it is. */
  readonly refusedConfig: string;
  readonly logger: Logger;
  /** What `logger` hides, too. */
  readonly secrets: Secrets;
  /** Told after each visible transition. */
  readonly onChange: () => void;
}

/** How long a shutdown waits for the bus to take what is left. What it does not take stays on disk. */
const FLUSH_TIMEOUT_MS = 3_000;
/** One look at every process of the host; with 100 services it takes some 25 ms. */
const TREE_LOOK_INTERVAL_MS = 60_000;
/** Between two looks whether what is orphaned still lives. */
const ORPHAN_LOOK_INTERVAL_MS = 5_000;

export class Agent {
  readonly #setup: AgentSetup;
  readonly #envelopes: Envelopes;
  readonly #bus: ClaimedBus;
  readonly #secrets: Secrets;
  readonly #hostKey: HostKey;
  readonly #outbox: Outbox;
  readonly #metricsOutbox: Outbox;
  readonly #events: HostEvents;
  readonly #output: Output;
  readonly #registry: DriverRegistry;
  readonly #reporter: Reporter;
  readonly #keys: AgentKeys;
  readonly #recovery: RecoveryPermission;
  readonly #store: InstanceStore;
  readonly #supervisor: Supervisor;
  readonly #remote: RemoteDependencies;
  readonly #outcomes: CommandOutcomes;
  readonly #commands: Commands;
  readonly #presence: Presence;
  readonly #metrics: MetricsPublisher;
  readonly #rollups: Rollups;
  readonly #statusFile: StatusFileWriter;
  readonly #logs: LogShipping;
  readonly #diskWatch: DiskWatch;
  readonly #reserve: ReserveKeeper;
  readonly #incarnation: IncarnationQuestions;
  readonly #prepareQueue = new PrepareQueue();
  readonly #treeLook: NodeJS.Timeout;
  readonly #orphanLook: NodeJS.Timeout;
  #isEnding = false;
  #isSettingUpBusAgain = false;

  /** @throws HostTakenError when another agent on this machine speaks for this host */
  static async start(setup: AgentSetup): Promise<Agent> {
    let agent: Agent | undefined;
    const side = await openBusSide({
      ...setup,
      onHostTaken: (reason) => agent?.onHostTaken(reason),
      onGap: (reason, lost) => agent?.onGap(reason, lost),
      onDelivered: (eventId) => agent?.onDelivered(eventId),
      onGoneBack: () => agent?.onGoneBack(),
    });
    agent = new Agent(setup, side);
    await agent.#begin();
    return agent;
  }

  private constructor(setup: AgentSetup, { envelopes, bus, outbox, metricsOutbox }: BusSide) {
    const { config, identity, logger } = setup;
    const { host, stateDir } = config;
    this.#setup = setup;
    this.#bus = bus;
    this.#outbox = outbox;
    this.#metricsOutbox = metricsOutbox;
    this.#envelopes = envelopes;
    this.#secrets = setup.secrets;
    const { hide } = setup.secrets;
    for (const spec of [...setup.systemServices, ...setup.services]) this.#noteSecrets(spec);
    this.#hostKey = readHostKey(stateDir, (error) => logger.warn({ reason: messageOf(error) }, 'the key of hashes'));
    this.#events = new HostEvents(host, this.#envelopes, outbox, hide);
    this.#output = new Output({
      runtimeFolder: setup.runtimeFolder,
      program: [setup.program, '--write-output'],
      onProblem: (reason) => this.#tellTrouble('what services print waits', reason),
    });
    this.#registry = createDriverRegistry({ runtimeFolder: setup.runtimeFolder, output: this.#output });
    this.#keys = new AgentKeys(bus, stateDir, (error, isFirst) => {
      if (isFirst) logger.warn({ reason: messageOf(error) }, 'a key could not be put; tried again');
      if (error instanceof NoStreamError) this.#setUpBusAgain();
    });
    this.#reporter = new Reporter({ host, envelopes: this.#envelopes, outbox, statuses: this.#keys.statuses, hide });
    this.#recovery = new RecoveryPermission(bus, host, this.#envelopes, hide);
    this.#store = this.#openStore();
    this.#remote = new RemoteDependencies(() => this.#supervisor.remoteChanged());
    this.#supervisor = new Supervisor(this.#manage(), (dependency) => this.#remote.status(dependency));
    const journal = new CommandJournal(path.join(stateDir, 'commands.jsonl'), (error) =>
      logger.warn({ reason: messageOf(error) }, 'commands could not be written down; tried again with the next one'),
    );
    this.#outcomes = new CommandOutcomes(journal);
    const freshness = new Freshness(identity.epoch);
    this.#rollups = new Rollups({
      host,
      file: path.join(stateDir, 'rollups.json'),
      envelopes: this.#envelopes,
      outbox: metricsOutbox,
      onProblem: (error) => logger.warn({ reason: messageOf(error) }, 'history of metrics'),
    });
    this.#metrics = new MetricsPublisher({
      host,
      intervalMs: config.metricsIntervalMs,
      envelopes: this.#envelopes,
      bus,
      instances: () => this.#sampledInstances(),
      readInventory: (signal) => askInventory(setup.program, signal),
      onSample: (sample, services) => this.#rollups.record(sample, services),
      onProblem: (error) => logger.warn({ reason: messageOf(error) }, 'no metrics this time'),
    });
    this.#commands = new Commands({
      host,
      bus,
      supervisor: this.#supervisor,
      reporter: this.#reporter,
      journal,
      outcomes: this.#outcomes,
      dependencies: this.#remote,
      freshness,
      envelopes: this.#envelopes,
      outbox,
      hide,
      readLogs: (service, instance, request) =>
        readHostLogs(logFilesOf(stateDir, service, instance), request, setup.secrets.maskOf(service)),
      watch: () => this.#metrics.watch(),
      unpublished: (tier, service) => this.#rollups.unpublished(tier, service),
    });
    this.#presence = new Presence({
      host,
      version: setup.version,
      identity,
      envelopes: this.#envelopes,
      freshness,
      bus,
      facts: () => ({
        keysDigest: this.#keys.digest(),
        services: this.#reporter.statuses().length,
        backlog: outbox.backlog,
        revocationsVersion: bus.revocations.version,
      }),
    });
    this.#logs = new LogShipping({
      host,
      stateDir,
      bus,
      envelopes: this.#envelopes,
      maskOf: (service) => setup.secrets.maskOf(service),
      onProblem: (reason) => this.#tellTrouble('lines of services cannot be shipped; they wait in their files', reason),
      onGoneBack: () => this.onGoneBack(),
    });
    this.#incarnation = followIncarnation(bus, (told) => this.#learnIncarnation(told));
    this.#diskWatch = new DiskWatch(path.join(stateDir, 'logs'), (isFull) =>
      this.#tellTrouble('what services print is lost', isFull ? 'the disk of their logs is full' : undefined),
    );
    this.#reserve = new ReserveKeeper(stateDir);
    this.#treeLook = setInterval(() => {
      this.#lookAtTrees();
      this.#store.restoreIfTaken();
    }, TREE_LOOK_INTERVAL_MS);
    this.#orphanLook = setInterval(() => void this.#supervisor.lookAtOrphans(), ORPHAN_LOOK_INTERVAL_MS);
    this.#statusFile = new StatusFileWriter(
      stateDir,
      () => this.#statusFileContent(),
      (error) => logger.warn({ reason: messageOf(error) }, 'the status file could not be written'),
    );
  }

  get supervisor(): Supervisor {
    return this.#supervisor;
  }

  /** Stops everything in reverse order; the bus last, once it has all that was to be said. */
  async shutDown(onStopped: (service: string, remaining: number) => void): Promise<void> {
    this.#isEnding = true;
    this.#commands.stop();
    this.#events.announce('stopping', 'asked to stop everything');
    const all = [...this.#supervisor.services].map(({ spec }) => spec.name);
    const last = all.filter((name) => this.#setup.lastToStop.includes(name));
    const first = all.filter((name) => !last.includes(name));
    await this.#supervisor.hold(new Set(first), (service, remaining) => onStopped(service, remaining + last.length));
    this.#events.announce('stopped', 'everything is stopped');
    await this.#flush();
    await this.#supervisor.hold(new Set(last), onStopped);
    await this.#close();
  }

  /** Lets go: the services go on, and the next agent adopts them. */
  async detach(): Promise<void> {
    this.#isEnding = true;
    this.#commands.stop();
    this.#supervisor.detach();
    await this.#close();
  }

  /** `reason` is why it is so; `undefined`: it is over. */
  #tellTrouble(what: string, reason: string | undefined): void {
    if (reason === undefined) this.#events.announce('recovered', `over: ${what}`);
    else this.#events.announce('problem', `${what}: ${reason}`);
    this.#setup.logger.warn({ reason: reason ?? 'over' }, what);
  }

  private onGap(reason: string, lost: number): void {
    this.#events.announce('gap', reason, lost);
  }

  private onHostTaken(reason: string): void {
    this.#setup.logger.warn({ reason }, 'host id taken');
    this.#events.announce('host-id-taken', reason);
    this.#statusFile.changed();
  }

  private onGoneBack(): Promise<void> {
    return this.#incarnation.askNow();
  }

  /** A bus that was restored has lost some of what it had: it is sent again, and put again. */
  #learnIncarnation(told: Incarnation): void {
    const known = this.#outbox.incarnation;
    this.#outbox.learn(told);
    this.#metricsOutbox.learn(told);
    this.#logs.learn(told);
    if (known === undefined || told.incarnation <= known) return;
    this.#setup.logger.warn({ incarnation: told.incarnation }, 'the bus has gone back in time');
    this.#keys.busChanged(this.#bus.isConnected);
  }

  private onDelivered(eventId: string): void {
    this.#reporter.delivered(eventId);
  }

  async #begin(): Promise<void> {
    for (const [what, outbox] of [
      ['events', this.#outbox],
      ['chunks of metrics', this.#metricsOutbox],
    ] as const) {
      outbox.tellLost((lost) => this.onGap(`${lost} ${what} were lost with the last agent: its disk was full`, lost));
    }
    const { config, logger, refusedConfig, services, systemServices } = this.#setup;
    this.#bus.onConnection(({ connected, reason }) => this.#onConnection(connected, reason));
    for (const runner of this.#supervisor.runners()) this.#introduce(runner);
    for (const { spec, isSystem } of this.#supervisor.services) {
      const entry = specEntryOf(spec, isSystem, config.host, this.#envelopes, {
        secrets: this.#secrets,
        hostKey: this.#hostKey,
      });
      this.#keys.specs.set(keys.spec(config.host, spec.name), entry);
    }
    for (const { spec, runners } of this.#supervisor.services) {
      for (const { key, state } of runners) {
        this.#logs.add(key.service, key.instance, state.persisted.generation, spec.logs);
      }
    }
    this.#logs.start();
    this.#keys.dropFormer();
    this.#events.announce('started', `agent ${this.#setup.version} started with ${services.length} services`);
    if (this.#bus.isConnected) this.#onConnection(true, 'connected before anything was started');
    else if (this.#bus.reason !== undefined) this.onHostTaken(this.#bus.reason);
    if (refusedConfig === '')
      this.#events.announce('config-loaded', `${services.length + systemServices.length} services`);
    else this.#events.announce('config-refused', refusedConfig);
    if (this.#store.unreadableLines > 1)
      this.#tellTrouble(
        'what was wanted of services may be forgotten: look at them, and stop what must not run',
        `${this.#store.unreadableLines} lines of '${path.join(config.stateDir, 'instances.jsonl')}' cannot be read`,
      );
    this.#commands.listen();
    this.#presence.start();
    this.#metrics.start();
    await Promise.all([this.#stopStrays(), this.#supervisor.begin([])]);
    this.#statusFile.writeNow();
    logger.info({ services: services.length, epoch: this.#envelopes.epoch }, 'supervising');
  }

  #openStore(): InstanceStore {
    const { config, identity, services, systemServices, logger } = this.#setup;
    const configured = new Set([...systemServices, ...services].map(({ name }) => keyOf(name, 0)));
    const file = path.join(config.stateDir, 'instances.jsonl');
    const store = new InstanceStore(file, identity.bootId, configured, (error) =>
      logger.warn({ reason: messageOf(error) }, 'what instances remember could not be written; tried again'),
    );
    for (const event of this.#outbox.takeFound(rows.instanceEvent)) {
      // An exit that is followed at once by the next run is told under that run's number.
      const endedGeneration = event.to === 'starting' ? event.generation - 1 : event.generation;
      if (event.exit !== undefined) store.noteTold(event.service, event.instance, endedGeneration);
    }
    return store;
  }

  #manage(): readonly ManagedService[] {
    const { config, identity, rootDir, env, umask, services, systemServices, confined, logger } = this.#setup;
    const onEnvironment = this.#secrets.note.bind(this.#secrets);
    const surroundings: RunnerSurroundings = {
      agentId: identity.agentId,
      run: { rootDir, logDir: path.join(config.stateDir, 'logs'), env, umask, onEnvironment },
      registry: this.#registry,
      confined,
      store: this.#store,
      votes: new VotePublisher(this.#bus, config.host, this.#envelopes, this.#secrets.hide),
      recovery: this.#recovery,
      prepareQueue: this.#prepareQueue,
      onTransition: (runner, transition) => this.#onTransition(runner, transition),
      onBug: (service, what, error) => logger.error({ err: error, service }, what),
    };
    return [
      ...systemServices.map((spec) => manageService(spec, true, surroundings)),
      ...services.map((spec) => manageService(spec, false, surroundings)),
    ];
  }

  #noteSecrets(spec: ServiceSpec): void {
    this.#secrets.note(spec.name, spec.environment);
    try {
      this.#secrets.note(spec.name, ownEnvironment(spec, this.#setup.rootDir));
    } catch {
      // The start itself says so.
    }
  }

  #introduce(runner: InstanceRunner): void {
    const { service, instance } = runner.key;
    this.#reporter.introduce(runner);
    const isOfIt = (event: InstanceEvent) => event.service === service && event.instance === instance;
    this.#reporter.remember(service, instance, this.#setup.former?.recentEvents.filter(isOfIt) ?? []);
  }

  #onTransition(runner: InstanceRunner, transition: Transition): void {
    this.#reporter.report(runner, transition);
    this.#outcomes.transitioned(runner);
    const { from, to } = transition;
    const isSame =
      from.name === to.name &&
      from.persisted.isHeld === to.persisted.isHeld &&
      (to.name !== 'running' || (from.name === 'running' && from.ready === to.ready));
    if (to.name !== 'stopping' && (to.name !== 'running' || to.ready === 'yes')) {
      this.#recovery.over(runner.key.service, runner.key.instance);
    }
    if (to.name === 'completed' && runner.key.service === BUS_SETUP && this.#isSettingUpBusAgain) {
      this.#isSettingUpBusAgain = false;
      this.#keys.busChanged(this.#bus.isConnected);
    }
    this.#statusFile.changed();
    if (isSame) return;
    this.#prepareQueue.pushBack();
    this.#supervisor.transitioned(runner.key.service);
    this.#setup.onChange();
  }

  /** Muster's own bus has lost its streams, for somebody has cleared its store: the job that made them makes them anew. */
  #setUpBusAgain(): void {
    const job = this.#supervisor.runner(BUS_SETUP, 0);
    if (this.#isEnding || job?.policy.isSystem !== true || job.state.name !== 'completed') return;
    this.#isSettingUpBusAgain = true;
    job.post({ type: 'start', by: 'the agent, for the bus has lost its streams' });
  }

  #onConnection(isConnected: boolean, reason: string): void {
    if (this.#isEnding) return;
    this.#events.announce(isConnected ? 'bus-connected' : 'bus-lost', reason);
    this.#statusFile.changed();
    this.#keys.busChanged(isConnected);
  }

  #sampledInstances() {
    return [...this.#supervisor.runners()].flatMap(({ key, run }) =>
      run === undefined ? [] : [{ service: key.service, instance: key.instance, pids: [run.pid] }],
    );
  }

  /** The driver learns which trees have members that left their group: those are looked for before a next start. */
  #lookAtTrees(): void {
    for (const { run } of this.#supervisor.runners()) run?.pids();
  }

  async #stopStrays(): Promise<void> {
    const { identity, runtimeFolder, logger } = this.#setup;
    const lookup = this.#registry.find('process');
    if (lookup.kind !== 'driver') return;
    try {
      await stopStrayRuns({
        runtimeFolder,
        agentId: identity.agentId,
        driver: lookup.driver,
        configured: new Set([...this.#supervisor.runners()].map(({ key }) => keyOf(key.service, key.instance))),
        onFound: (service, pid) => {
          logger.warn({ service, pid }, 'stopping what is no longer configured');
          this.#events.announce('config-loaded', `'${service}' is no longer configured: stopping pid ${pid}`);
        },
      });
    } catch (error) {
      logger.error({ err: error }, 'looking for what is no longer configured');
    }
  }

  #statusFileContent(): StatusFile {
    const recentEvents = [...this.#supervisor.runners()]
      .flatMap(({ key }) => this.#reporter.recentEvents(key.service, key.instance))
      .sort((a, b) => a.epoch - b.epoch || a.seq - b.seq);
    const { reason } = this.#bus;
    return {
      writtenAt: new Date().toISOString(),
      host: this.#setup.config.host,
      agentId: this.#setup.identity.agentId,
      bus: { connected: this.#bus.isConnected, ...(reason !== undefined && { reason: this.#secrets.hide(reason) }) },
      instances: this.#reporter.statuses(),
      recentEvents,
    };
  }

  async #flush(): Promise<void> {
    const signal = AbortSignal.timeout(FLUSH_TIMEOUT_MS);
    try {
      await this.#output.flush(signal);
      await Promise.all([this.#outbox.flushed(signal), this.#logs.flush(signal)]);
      // What is stored last is what is shown of this host while nobody speaks for it.
      await this.#keys.statuses.flushed(signal);
    } catch {
      this.#setup.logger.warn(
        { backlog: this.#outbox.backlog },
        'the bus did not take everything; the rest stays on disk',
      );
    }
  }

  async #close(): Promise<void> {
    clearInterval(this.#treeLook);
    clearInterval(this.#orphanLook);
    this.#prepareQueue[Symbol.dispose]();
    this.#supervisor.detach();
    this.#incarnation.stop();
    this.#presence[Symbol.dispose]();
    this.#remote[Symbol.dispose]();
    this.#metrics[Symbol.dispose]();
    this.#logs[Symbol.dispose]();
    this.#diskWatch[Symbol.dispose]();
    this.#reserve[Symbol.dispose]();
    this.#keys.stop();
    this.#statusFile.writeNow();
    this.#statusFile[Symbol.dispose]();
    this.#store[Symbol.dispose]();
    this.#rollups.save();
    await this.#metricsOutbox.close();
    await this.#outbox.close();
    await this.#bus[Symbol.asyncDispose]();
    await this.#registry[Symbol.asyncDispose]();
    this.#output[Symbol.dispose]();
  }
}
