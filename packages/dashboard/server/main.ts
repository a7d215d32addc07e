import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { nextEpoch, redactLogLine } from '@muster/contracts';
import { followIncarnation, followRevocations, limitProblems, Outbox, openBus } from '@muster/contracts/bus';
import { type Logger, pino } from 'pino';
import { ConfigError, type DashboardConfig, PACKAGE_DIR, readConfig } from './config.ts';
import { Dashboard } from './dashboard.ts';
import { auditTrail } from './source/audit-trail.ts';
import { BusSource } from './source/bus-source.ts';
import { publishPresence } from './source/presence.ts';
import { readUsers } from './users.ts';

const HELP = `The fleet on one page: http://127.0.0.1:8003/

usage: node packages/dashboard/bundle/main.js [--help]

It reads config/dashboard.yaml; these variables win over it:
  MUSTER_CONFIG_DIR       folder of dashboard.yaml             (config)
  MUSTER_STATE_DIR        keys and audit records not yet sent  (.muster)
  MUSTER_ENVIRONMENT      environment on the bus               (development)
  MUSTER_DASHBOARD_ID     this dashboard's id                  (main)
  MUSTER_BUS_URL          address of the bus, several with commas
  MUSTER_BUS_CREDENTIALS  creds file                           (<state>/keys/dashboard-<id>.creds)
  MUSTER_OWNERS           uids that it answers, with commas    (root, its own, SUDO_UID), beside 'owners' of the file

TERM and INT end it in order. Exit codes: 0 ended in order, 1 failed, 2 wrong use or configuration.
`;

const EXIT_OK = 0;
const EXIT_FAILED = 1;
const EXIT_WRONG_USE = 2;

/** A command in flight is answered, a stuck viewer is not waited for. */
const CLOSE_TIMEOUT_MS = 5_000;

async function main(): Promise<number> {
  const wanted = readArguments();
  if (wanted !== 'run') {
    (wanted === 'help' ? process.stdout : process.stderr).write(wanted === 'help' ? HELP : `${wanted}; see --help\n`);
    return wanted === 'help' ? EXIT_OK : EXIT_WRONG_USE;
  }
  let config: DashboardConfig;
  try {
    config = readConfig(process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.problems.map((problem) => `dashboard: ${problem}`).join('\n')}\n`);
    return EXIT_WRONG_USE;
  }
  return run(config, openLog(config.id));
}

/** A log must not say what may not leave a host. */
function openLog(id: string): Logger {
  const destination = pino.destination({ fd: process.stdout.fd, sync: true });
  return pino({ base: { program: 'dashboard', id } }, { write: (line) => void destination.write(redactLogLine(line)) });
}

/** `run`, `help`, or what is wrong with the arguments. */
function readArguments(): string {
  try {
    const { values } = parseArgs({ options: { help: { type: 'boolean', short: 'h' } }, strict: true });
    return values.help === true ? 'help' : 'run';
  } catch (error) {
    return `dashboard: ${(error as Error).message}`;
  }
}

async function run(config: DashboardConfig, log: Logger): Promise<number> {
  const ending = untilSignal();
  const { id, environment, stateDir, listen, owners } = config;
  const epoch = nextEpoch(0, Math.floor(Date.now() / 1_000));
  const version = ownVersion();
  const now = () => performance.now();

  const onProblem = limitProblems((problem) => log.warn(problem, 'trouble on the bus'), now);
  // Disposed in reverse order, however this ends.
  await using bus = openBus({ ...config.bus, environment, role: 'dashboard', id, onProblem });
  bus.onConnection(({ connected, reason }) =>
    log.info({ connected, reason }, connected ? 'bus connected' : 'bus away'),
  );
  // Answers of agents whose keys were revoked are not believed.
  followRevocations(bus);
  const outbox = await Outbox.open({
    directory: join(stateDir, 'outbox', `dashboard-${id}`),
    bus,
    onGap: (lost) => log.error({ lost }, 'audit records were given up: the disk has no room for more'),
    onProblem: (error) => log.warn({ err: error }, 'audit records wait'),
    onGoneBack: () => questions.askNow(),
  });
  const questions = followIncarnation(bus, (told) => outbox.learn(told));
  using _questions = { [Symbol.dispose]: () => questions.stop() };
  await using _outbox = { [Symbol.asyncDispose]: () => outbox.close() };
  using source = new BusSource({ bus, now });
  const webRoot = join(PACKAGE_DIR, 'dist', 'web');
  await using dashboard = await Dashboard.start({
    source,
    environment,
    id,
    version,
    epoch,
    now,
    log,
    audit: auditTrail({ outbox, id, epoch }),
    owners: { uids: owners, users: readUsers() },
    ...(existsSync(webRoot) && { webRoot }),
  });
  using _presence = publishPresence({ bus, version, epoch, viewers: () => dashboard.hub.viewers });

  try {
    await dashboard.listen(listen.host, listen.port);
  } catch (error) {
    log.fatal(listenProblem(error as NodeJS.ErrnoException, listen));
    exitSoon(EXIT_FAILED);
    return EXIT_FAILED;
  }
  log.info(
    { environment, version },
    `the page is at http://${listen.host.includes(':') ? `[${listen.host}]` : listen.host}:${listen.port}/`,
  );

  const signal = await ending;
  log.info({ signal }, 'ending');
  exitSoon(EXIT_OK);
  return EXIT_OK;
}

/** What is left open after a while is not worth waiting for: everything that matters is on disk. */
function exitSoon(code: number): void {
  setTimeout(() => process.exit(code), CLOSE_TIMEOUT_MS).unref();
}

function untilSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, resolve);
  });
}

function listenProblem({ code, message }: NodeJS.ErrnoException, { host, port }: DashboardConfig['listen']): string {
  const what = `cannot listen on ${host}:${port}`;
  if (code === 'EADDRINUSE') {
    return `${what}: something else does; stop it, or set another 'listen' in config/dashboard.yaml`;
  }
  if (code === 'EACCES')
    return `${what}: ports below 1024 need privileges; set another 'listen' in config/dashboard.yaml`;
  return `${what}: ${message}`;
}

function ownVersion(): string {
  const path = join(PACKAGE_DIR, 'package.json');
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}

void main().then((code) => {
  process.exitCode = code;
});
