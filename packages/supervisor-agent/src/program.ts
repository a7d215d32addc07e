/**
 * The agent as a program: configuration, signals, exit codes. Under the launcher it is told over IPC to stop everything;
 * TERM, INT or a vanished launcher mean that only the agent goes, and its services stay.
 */
import './config/interpreted-schemas.ts';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { type Listen, messageOf, printableLines, redact, redactLogLine, type StatusFile } from '@muster/contracts';
import { formatDiagnostic, type ServiceSpec } from '@muster/contracts/config';
import {
  claimStateFolder,
  credentialsFile,
  PrivateFolderError,
  readIfPresent,
  stateLayout,
} from '@muster/contracts/files';
import { type Logger, pino } from 'pino';
import { parse } from 'yaml';
import { HostTakenError } from './bus/host-taken-error.ts';
import { type AgentConfig, configDirOf, readAgentConfig } from './config/agent-config.ts';
import { type LoadedServices, loadServices } from './config/load-services.ts';
import { AccountError } from './confine/accounts.ts';
import { confineSystem } from './confine/confinement.ts';
import { describeTakenPorts } from './host/taken-ports.ts';
import { Agent } from './runtime/agent.ts';
import { LauncherLink } from './runtime/launcher/launcher-link.ts';
import { StartProgress } from './runtime/launcher/start-progress.ts';
import { readStatusFile } from './runtime/report/status-file-writer.ts';
import { Secrets } from './runtime/secrets.ts';
import { dashboardListen, ownersOf, systemServices } from './runtime/services/system-services.ts';
import { AgentIdError, readIdentity } from './state/agent-identity.ts';
import { claimRuntimeFolder, RuntimeFolderError } from './state/runtime-folder.ts';
import { lockStateDirectory, StateLockedError } from './state/state-lock.ts';
import { spendReserve } from './state/state-reserve.ts';

const HELP = `Usage: node packages/supervisor-agent/bundle/main.js

Keeps the services of config/services.yaml running on this host. Usually started by npm start, or on a further host by hand:

  MUSTER_CONFIG_DIR=./config node packages/supervisor-agent/bundle/main.js

Configuration: config/agent.yaml (bus.url, bus.creds and bus.tls for a bus on another host) and config/services.yaml.
Environment:   MUSTER_CONFIG_DIR, MUSTER_STATE_DIR, MUSTER_ENVIRONMENT, MUSTER_HOST win over the file;
               MUSTER_EMBEDDED=1 also runs nats-server (MUSTER_NATS_SERVER names the program), prober and dashboard.
Signals:       TERM and INT end the agent only. Its services go on, and the next agent adopts them.
Exit codes:    0 ended as asked, 1 failed, 2 wrong use, 3 configuration or environment refused.
`;

const EXIT = { ok: 0, failed: 1, usage: 2, refused: 3 } as const;

/** bundle/ or dist/ → the clone. */
const ROOT_DIR = path.resolve(import.meta.dirname, '../../..');

/** Configuration or environment that will not do, in lines for people. */
class Refusal extends Error {}

/** The disk does not take what an agent must write before it may act. Starting again helps once it does. */
class StateDirectoryError extends Error {
  constructor(directory: string, cause: Error) {
    super(
      `cannot use the state directory '${directory}': ${cause.message}. What runs goes on without an agent; make room or mend its rights`,
      { cause },
    );
  }
}

async function main(): Promise<void> {
  // What it writes itself is for nobody else. Services get back what the caller has set.
  const umask = process.umask(0o077);
  const config = readConfig();
  closeStateDirectory(config.stateDir);
  const isOnReserve = spendReserve(config.stateDir);
  const former = readStatusFile(config.stateDir);
  const { unlock, identity } = takeStateDirectory(config.stateDir, former?.agentId);
  const dashboard = dashboardListen(parseYamlFile(path.join(config.configDir, 'dashboard.yaml')));
  const natsServer = config.bus.serverProgram ?? 'nats-server';
  // With a bus that somebody else runs this host is one of many, and only its services are its own.
  const isWhole = config.isEmbedded && !config.bus.isExternal;
  if (isWhole) expectFreePorts(config.bus.listen, dashboard, identity.agentId);
  const owners = ownersOf(process.getuid?.() ?? 0, process.env['SUDO_UID']);
  const confinement =
    isWhole && process.getuid?.() === 0
      ? await confineSystem({
          config,
          rootDir: ROOT_DIR,
          natsServer,
          isResuming: isResuming(former),
          onMade: tellOfAccount,
        })
      : undefined;
  const own = isWhole
    ? systemServices(config, {
        rootDir: ROOT_DIR,
        natsServer,
        dashboard,
        owners,
        start: process.env['MUSTER_START'],
        ...(confinement !== undefined && { confined: confinement.programs }),
      })
    : [];
  const runtimeFolder = claimRuntimeFolder(process.env, identity.agentId);
  const { services, refused } = readConfiguredServices(config, own, former);

  const secrets = new Secrets();
  const logger = openLog(config, secrets);
  if (isOnReserve) logger.warn({ directory: config.stateDir }, 'the disk is full: started on the room kept for that');
  let onChange = (): void => {};
  const agent = await Agent.start({
    config,
    identity,
    version: readVersion(),
    program: path.join(import.meta.dirname, 'main.js'),
    rootDir: process.cwd(),
    runtimeFolder,
    umask,
    env: process.env,
    former,
    services,
    systemServices: own,
    confined: confinement?.services ?? new Map(),
    lastToStop: own.slice(0, 1).map(({ name }) => name),
    refusedConfig: refused.map(formatDiagnostic).join('\n'),
    logger,
    secrets,
    onChange: () => onChange(),
  });

  const link = endWhenAsked(agent, unlock, logger);
  const url = isWhole ? `http://${dashboard.host}:${dashboard.port}` : config.bus.url;
  const progress = new StartProgress(agent.supervisor, (message) => void link.tell(message), url);
  onChange = () => progress.changed();
  progress.changed();
}

/** @throws Refusal */
function readConfig(): AgentConfig {
  const around = { env: process.env, hostname: hostname(), currentDir: process.cwd() };
  const file = path.join(configDirOf(around), 'agent.yaml');
  const reading = readAgentConfig(readIfPresent(file) ?? '', file, around);
  if ('errors' in reading) throw new Refusal(reading.errors.map(formatDiagnostic).join('\n'));
  if (process.platform !== 'linux') {
    throw new Refusal('the agent supervises Linux processes; on macOS and Windows run it in WSL2 or in a Linux VM');
  }
  return withOwnCredentials(reading.config);
}

/** What services.yaml names, or named when it was last good. @throws Refusal */
function readConfiguredServices(
  { configDir, stateDir, host }: AgentConfig,
  own: readonly ServiceSpec[],
  former: StatusFile | undefined,
): LoadedServices {
  const loading = loadServices({
    file: path.join(configDir, 'services.yaml'),
    stateDir,
    host,
    reserved: own.map(({ name, port }) => ({ name, ...(port !== undefined && { port }) })),
    isResuming: isResuming(former),
  });
  if ('errors' in loading) throw new Refusal(loading.errors.map(formatDiagnostic).join('\n'));
  for (const warning of loading.warnings) tellPerson(`warning: ${formatDiagnostic(warning)}`);
  if (loading.refused.length > 0) {
    tellPerson(`${loading.refused.map(formatDiagnostic).join('\n')}\ngoing on with the last good services.yaml`);
  }
  return loading;
}

/** Ends the process once, as the first signal or word of the launcher says. */
function endWhenAsked(agent: Agent, unlock: () => void, logger: Logger): LauncherLink {
  let isEnding = false;
  const end = (how: () => Promise<void>): void => {
    if (isEnding) return;
    isEnding = true;
    how().then(
      () => {
        unlock();
        process.exit(EXIT.ok);
      },
      (error: unknown) => {
        logger.fatal({ err: error }, 'ending');
        process.exit(EXIT.failed);
      },
    );
  };
  const link = new LauncherLink(process, {
    onShutdown: () =>
      end(async () => {
        await agent.shutDown((service, remaining) => void link.tell({ type: 'stopping', service, remaining }));
        await link.tell({ type: 'stopped' });
      }),
    onGone: () => end(() => agent.detach()),
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => end(() => agent.detach()));
  // A closing terminal is the launcher's affair.
  process.on('SIGHUP', () => {});
  return link;
}

/** No other account may read what is there, or have put it there. @throws Refusal, StateDirectoryError */
function closeStateDirectory(stateDir: string): void {
  try {
    const { paths } = claimStateFolder(stateDir);
    if (paths.length === 0) return;
    process.stderr.write(
      `closed ${paths.length} files and folders of '${stateDir}' to other users of this machine, who could read or enter them until now\n`,
    );
  } catch (error) {
    if (error instanceof PrivateFolderError) throw new Refusal(`cannot use the state directory: ${error.message}`);
    if (error instanceof Error && 'syscall' in error) throw new StateDirectoryError(stateDir, error);
    throw error;
  }
}

/** @throws StateLockedError, AgentIdError, StateDirectoryError */
function takeStateDirectory(stateDir: string, formerId: string | undefined) {
  try {
    return { unlock: lockStateDirectory(stateDir), identity: readIdentity(stateDir, formerId) };
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) throw new StateDirectoryError(stateDir, error);
    throw error;
  }
}

/** @throws Refusal */
function expectFreePorts(bus: Listen, dashboard: Listen, agentId: string): void {
  const needed = [
    { purpose: 'the bus', listen: bus, setting: 'bus.listen in config/agent.yaml' },
    { purpose: 'the dashboard', listen: dashboard, setting: 'listen in config/dashboard.yaml' },
  ];
  const taken = describeTakenPorts(needed, agentId);
  if (taken.length > 0) throw new Refusal(`muster: ${taken.join('\n')}`);
}

/** A log that cannot be written, on a full disk for one, must not end supervision. */
function openLog({ logLevel, host }: { readonly logLevel: string; readonly host: string }, secrets: Secrets): Logger {
  const destination = pino.destination({ fd: process.stdout.fd, sync: true });
  destination.on('error', () => {});
  const write = (line: string) => void destination.write(redactLogLine(line, (text) => secrets.hide(text)));
  return pino({ level: logLevel, base: { agent: host } }, { write });
}

/** In one whole system the keys lie in the state directory; elsewhere agent.yaml says where. */
function withOwnCredentials(config: AgentConfig): AgentConfig {
  if (config.bus.credsFile !== undefined || config.bus.isExternal) return config;
  const credsFile = credentialsFile(stateLayout(config.stateDir).keysDir, { role: 'agent', id: config.host });
  return { ...config, bus: { ...config.bus, credsFile } };
}

/** Did the last agent leave anything behind that may be alive? After a stop in order all is at rest. */
function isResuming(former: StatusFile | undefined): boolean {
  const rest = new Set(['stopped', 'completed', 'failed', 'pending', 'unknown']);
  return (former?.instances ?? []).some(({ state }) => !rest.has(state));
}

function tellOfAccount(name: string): void {
  tellPerson(`made the system user '${name}'`);
}

function parseYamlFile(file: string): unknown {
  try {
    return parse(readIfPresent(file) ?? '');
  } catch {
    return undefined; // its owner refuses it, with line and column
  }
}

function readVersion(): string {
  const manifest: unknown = JSON.parse(
    readFileSync(path.join(ROOT_DIR, 'packages/supervisor-agent/package.json'), 'utf8'),
  );
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : '0.0.0';
}

/** Starting again changes nothing about these. */
const REFUSALS = [Refusal, StateLockedError, AgentIdError, HostTakenError, RuntimeFolderError, AccountError];

/** On the terminal, or wherever the launcher shows it. */
function tellPerson(text: string): void {
  process.stderr.write(`${printableLines(redact(text))}\n`);
}

/** Ends the process when the agent has nothing more to do. */
export async function runProgram(): Promise<void> {
  try {
    const { values } = parseArgs({ options: { help: { type: 'boolean', short: 'h' } } });
    if (values.help === true) {
      process.stdout.write(HELP);
      process.exit(EXIT.ok);
    }
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n\n${HELP}`);
    process.exit(EXIT.usage);
  }
  try {
    await main();
  } catch (error) {
    const isRefusal = REFUSALS.some((kind) => error instanceof kind);
    const isExplained = isRefusal || error instanceof StateDirectoryError;
    tellPerson(
      isExplained ? messageOf(error) : `the agent failed: ${error instanceof Error ? error.stack : String(error)}`,
    );
    process.exit(isRefusal ? EXIT.refused : EXIT.failed);
  }
}
