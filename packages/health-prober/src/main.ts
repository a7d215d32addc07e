/** The prober as a program: configuration, signals, exit codes. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { messageOf, printableLines, redact, redactLogLine } from '@muster/contracts';
import { limitProblems, openBus } from '@muster/contracts/bus';
import { formatDiagnostic } from '@muster/contracts/config';
import { pino } from 'pino';
import { configFileOf, configNameOf, readProberConfig } from './config.ts';
import { readOwnPlace } from './runtime/own-place.ts';
import { runProber } from './runtime/prober.ts';

const HELP = `Usage: node packages/health-prober/bundle/main.js

Probes services from where it runs, judges their health by all votes on the bus, and publishes verdicts and alerts.

  MUSTER_BUS_URL=nats://bus.example:4222 MUSTER_BUS_CREDENTIALS=prober-main.creds node packages/health-prober/bundle/main.js

Configuration: config/prober.yaml; every key may be left out.
Environment:   MUSTER_CONFIG_DIR, MUSTER_STATE_DIR, MUSTER_BUS_URL, MUSTER_BUS_CREDENTIALS, MUSTER_ENVIRONMENT and
               MUSTER_PROBER_ID win over the file.
Signals:       TERM and INT end it in order.
Exit codes:    0 ended as asked, 1 failed, 2 wrong use or refused configuration.
`;

const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

const destination = pino.destination({ fd: process.stdout.fd, sync: true });
const log = pino(
  { base: { program: 'health-prober' } },
  { write: (line) => void destination.write(redactLogLine(line)) },
);

void run();

async function run(): Promise<void> {
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
    process.exit(EXIT.ok);
  } catch (error) {
    log.fatal({ err: error }, 'the prober failed');
    process.exit(EXIT.failed);
  }
}

async function main(): Promise<void> {
  const around = { env: process.env, currentDir: process.cwd() };
  const reading = readProberConfig(readIfAny(configFileOf(around)), configNameOf(around), around);
  if ('errors' in reading) {
    process.stderr.write(`${printableLines(redact(reading.errors.map(formatDiagnostic).join('\n')))}\n`);
    process.exit(EXIT.usage);
  }
  const { id, environment, servers, credentialsFile, tls, stateDir, policy, musterRun } = reading.config;
  const stopping = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      log.info({ signal }, 'stopping');
      stopping.abort(new Error(`asked to stop by ${signal}`));
    });
  }
  await using bus = openBus({
    servers,
    ...(credentialsFile !== undefined && { credentialsFile }),
    ...(tls !== undefined && { tls }),
    environment,
    role: 'prober',
    id,
    revocationsFile: join(stateDir, 'revocations.signed'),
    onProblem: limitProblems((problem) => log.warn(problem, 'bus problem')),
  });
  bus.onConnection(({ connected, reason }) => log.info({ reason }, connected ? 'bus connected' : 'bus lost'));
  log.info({ id, environment, servers, stateDir }, 'starting');
  await runProber(
    {
      bus,
      prober: id,
      version: readVersion(),
      stateDir,
      own: readOwnPlace(musterRun),
      policy,
      log: (level, message, error) => log[level](error === undefined ? {} : { err: error }, message),
    },
    stopping.signal,
  );
  log.info('stopped');
}

function readIfAny(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function readVersion(): string {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };
  return manifest.version;
}
