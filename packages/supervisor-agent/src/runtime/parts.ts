/** What an agent is made of. */
import path from 'node:path';
import { type Incarnation, messageOf, rows, type StatusFile } from '@muster/contracts';
import { followIncarnation, NoStreamError } from '@muster/contracts/bus';
import type { ServiceSpec } from '@muster/contracts/config';
import type { Logger } from 'pino';
import { AgentKeys } from '../bus/agent-keys.ts';
import type { BusSide } from '../bus/bus-side.ts';
import { Freshness } from '../bus/freshness.ts';
import { Presence } from '../bus/presence.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import type { Confinement } from '../confine/confinement.ts';
import { createDriverRegistry } from '../drivers/registry.ts';
import { askInventory } from '../host/ask-inventory.ts';
import { DiskWatch } from '../log/disk-watch.ts';
import { readHostLogs } from '../log/host-logs.ts';
import { LogShipping, logFilesOf } from '../log/log-shipping.ts';
import { Output } from '../output/output.ts';
import type { AgentIdentity } from '../state/agent-identity.ts';
import { readHashKey } from '../state/hash-key.ts';
import { InstanceStore, keyOf } from '../state/instance-store.ts';
import { ReserveKeeper } from '../state/state-reserve.ts';
import { CommandJournal } from './commands/command-journal.ts';
import { CommandOutcomes } from './commands/command-outcomes.ts';
import { Commands } from './commands/commands.ts';
import type { RunnerSurroundings } from './instance/create-runner.ts';
import { PrepareQueue } from './instance/prepare-queue.ts';
import { RecoveryPermission } from './instance/recovery-permission.ts';
import { VotePublisher } from './instance/vote-publisher.ts';
import { MetricsPublisher } from './metrics/metrics-publisher.ts';
import { Rollups } from './metrics/rollups.ts';
import { HostEvents } from './report/host-events.ts';
import { Reporter } from './report/reporter.ts';
import { SpecEntries } from './report/spec-entry.ts';
import { statusContent } from './report/status-content.ts';
import { StatusFileWriter } from './report/status-file-writer.ts';
import { Trouble } from './report/trouble.ts';
import type { Secrets } from './secrets.ts';
import { BusSetup } from './services/bus-setup.ts';
import { RegularLooks } from './services/regular-looks.ts';
import { RemoteDependencies } from './services/remote-dependencies.ts';
import { Supervisor } from './services/supervisor.ts';

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

/** What the parts tell the agent. */
export interface FromParts {
  readonly transition: RunnerSurroundings['onTransition'];
  readonly incarnation: (told: Incarnation) => void;
}

export type Parts = ReturnType<typeof buildParts>;

/** Builds them and starts nothing. */
export function buildParts(setup: AgentSetup, side: BusSide, on: FromParts) {
  const { config, identity, logger, secrets } = setup;
  const { host, stateDir } = config;
  const { envelopes, bus, claim, outbox, metricsOutbox } = side;
  const { hide } = secrets;
  const inState = (file: string) => path.join(stateDir, file);
  const warn = (what: string) => (error: unknown) => logger.warn({ reason: messageOf(error) }, what);
  const events = new HostEvents(host, envelopes, outbox, hide);
  const trouble = new Trouble(events, logger);
  const keys = new AgentKeys(bus, stateDir, (error, isFirst) => {
    if (isFirst) warn('a key could not be put; tried again')(error);
    if (error instanceof NoStreamError) busSetup.again();
  });
  const former = setup.former?.recentEvents ?? [];
  const reporter = new Reporter({ host, envelopes, outbox, statuses: keys.statuses, former, hide });
  const hashKey = readHashKey(stateDir, warn('the key of hashes'));
  const specs = new SpecEntries({ host, envelopes, secrets, hashKey, specs: keys.specs });

  const configured = new Set([...setup.systemServices, ...setup.services].map(({ name }) => keyOf(name, 0)));
  const store = new InstanceStore(
    inState('instances.jsonl'),
    identity.bootId,
    configured,
    warn('what instances remember could not be written; tried again'),
  );
  store.noteFound(outbox.takeFound(rows.instanceEvent));
  const remote = new RemoteDependencies(() => supervisor.remoteChanged());
  const supervisor = new Supervisor((dependency) => remote.status(dependency));
  const busSetup = new BusSetup(supervisor, () => keys.putAgain());
  const recovery = new RecoveryPermission(bus, host, envelopes, hide);
  const prepareQueue = new PrepareQueue();
  const { runtimeFolder } = setup;
  const output = new Output({
    runtimeFolder,
    program: [setup.program, '--write-output'],
    onProblem: (reason) => trouble.tell('what services print waits', reason),
  });
  const registry = createDriverRegistry({ runtimeFolder, output });

  const rollups = new Rollups({
    host,
    file: inState('rollups.json'),
    envelopes,
    outbox: metricsOutbox,
    onProblem: warn('history of metrics'),
  });
  const metrics = new MetricsPublisher({
    host,
    intervalMs: config.metricsIntervalMs,
    envelopes,
    bus,
    instances: () => supervisor.sampledInstances(),
    readInventory: (signal) => askInventory(setup.program, signal),
    onSample: (sample, services) => rollups.record(sample, services),
    onProblem: warn('no metrics this time'),
  });
  const logs = new LogShipping({
    host,
    stateDir,
    bus,
    envelopes,
    maskOf: (service) => secrets.maskOf(service),
    onProblem: (reason) => trouble.tell('lines of services cannot be shipped; they wait in their files', reason),
    onGoneBack: () => incarnation.askNow(),
  });
  const diskWatch = new DiskWatch(inState('logs'), (isFull) =>
    trouble.tell('what services print is lost', isFull ? 'the disk of their logs is full' : undefined),
  );

  const freshness = new Freshness(identity.epoch);
  const journal = new CommandJournal(
    inState('commands.jsonl'),
    warn('commands could not be written down; tried again'),
  );
  const outcomes = new CommandOutcomes(journal);
  const commands = new Commands({
    host,
    bus,
    supervisor,
    reporter,
    journal,
    outcomes,
    dependencies: remote,
    freshness,
    envelopes,
    outbox,
    hide,
    readLogs: (service, instance, request) =>
      readHostLogs(logFilesOf(stateDir, service, instance), request, secrets.maskOf(service)),
    watch: () => metrics.watch(),
    unpublished: (tier, service) => rollups.unpublished(tier, service),
  });
  const presence = new Presence({
    host,
    version: setup.version,
    identity,
    envelopes,
    freshness,
    bus,
    facts: () => ({
      keysDigest: keys.digest(),
      services: reporter.statuses().length,
      backlog: outbox.backlog,
      revocationsVersion: bus.revocations.version,
    }),
  });
  const { agentId } = identity;
  const statusFile = new StatusFileWriter(
    stateDir,
    () => statusContent({ host, agentId, bus, reason: claim.reason, reporter, hide }),
    warn('the status file could not be written'),
  );
  const incarnation = followIncarnation(bus, (told) => on.incarnation(told));
  const looks = new RegularLooks(supervisor, store);
  const reserve = new ReserveKeeper(stateDir);
  const runnerSurroundings: RunnerSurroundings = {
    agentId,
    run: {
      rootDir: setup.rootDir,
      logDir: inState('logs'),
      env: setup.env,
      umask: setup.umask,
      onEnvironment: secrets.note.bind(secrets),
    },
    registry,
    confined: setup.confined,
    store,
    votes: new VotePublisher(bus, host, envelopes, hide),
    recovery,
    prepareQueue,
    onTransition: on.transition,
    onBug: (service, what, error) => logger.error({ err: error, service }, what),
  };
  return {
    events,
    trouble,
    keys,
    reporter,
    specs,
    store,
    remote,
    supervisor,
    busSetup,
    recovery,
    prepareQueue,
    output,
    registry,
    rollups,
    metrics,
    logs,
    diskWatch,
    journal,
    outcomes,
    commands,
    presence,
    statusFile,
    incarnation,
    looks,
    reserve,
    runnerSurroundings,
  };
}
