import { resolve } from 'node:path';
import { embeddedBusUrl, hostIdFrom, type TlsFiles } from '@muster/contracts';
import {
  BusTls,
  BusUrls,
  byPlace,
  checkShape,
  type Diagnostic,
  durationMs,
  IdText,
  parseYaml,
  RetentionMap,
  strictMap,
  tlsFilesFrom,
} from '@muster/contracts/config';
import { z } from 'zod';

/** How this agent runs, with every default filled in. Paths are absolute. */
export interface AgentConfig {
  readonly environment: string;
  /** The id of this host. */
  readonly host: string;
  readonly stateDir: string;
  readonly configDir: string;
  /** The agent also runs Muster's own services: the bus, its set-up, the prober, the dashboard. */
  readonly isEmbedded: boolean;
  readonly bus: BusConfig;
  /** The system users that Muster's own programs run as when the agent is root. */
  readonly runAs: RunAs;
  readonly metricsIntervalMs: number;
  readonly logLevel: LogLevel;
}

interface RunAs {
  readonly bus: string;
  readonly prober: string;
  readonly dashboard: string;
}

interface BusConfig {
  /** Where an embedded nats-server listens. */
  readonly listen: { readonly host: string; readonly port: number };
  /** Where this agent connects to: one server, or several of a cluster with commas. */
  readonly url: string;
  /** The address was given: the bus is run by somebody else. */
  readonly isExternal: boolean;
  readonly credsFile?: string;
  /** Default: what lies beside the creds file. */
  readonly tls?: TlsFiles;
  /** The nats-server program, when it is not the first on PATH. */
  readonly serverProgram?: string;
}

/** What the file does not say: who and where this process is. */
export interface AgentSurroundings {
  /** `process.env`, or as much of it as should count. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly hostname: string;
  /** Relative paths start here. */
  readonly currentDir: string;
}

export type AgentConfigReading = { readonly config: AgentConfig } | { readonly errors: readonly Diagnostic[] };

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
type LogLevel = (typeof LOG_LEVELS)[number];

const PATH_RULE = 'write a path';
const Path = z.string({ error: PATH_RULE }).min(1, { error: PATH_RULE });

const LISTEN_RULE = 'write address:port, such as 127.0.0.1:4222';
const Listen = z
  .string({ error: LISTEN_RULE })
  .regex(/^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):\d{1,5}$/, { error: LISTEN_RULE })
  .refine((listen) => isPort(splitListen(listen).port), { error: LISTEN_RULE });

const NAMES_RULE = 'write a list of host names and addresses, such as [bus.example.org, 10.0.0.5]';
const ServerName = z.string({ error: NAMES_RULE }).regex(/^[A-Za-z0-9_.:-]+$/, { error: NAMES_RULE });

const USER_RULE = 'write the name of a user, such as muster-bus, or root';
const UserName = z.string({ error: USER_RULE }).regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/, { error: USER_RULE });
/** One each: what one program is given, the others cannot read, nor can they reach into each other. */
const OWN_USERS: RunAs = { bus: 'muster-bus', prober: 'muster-prober', dashboard: 'muster-dashboard' };
const RUN_AS_RULE = 'write a map with bus, prober and dashboard, or one name for all';
const RunAsMap = strictMap(
  { bus: UserName.optional(), prober: UserName.optional(), dashboard: UserName.optional() },
  RUN_AS_RULE,
);

/** The shape of agent.yaml; every key may be left out. */
const AgentFile = strictMap(
  {
    environment: IdText.optional().meta({ description: 'The name of the fleet; default development.' }),
    host: IdText.optional().meta({ description: "This host's id; default the first label of its name." }),
    state_dir: Path.optional().meta({ description: 'Default .muster.' }),
    bus: strictMap(
      {
        listen: Listen.default('127.0.0.1:4222').meta({ description: 'Where the embedded nats-server listens.' }),
        url: BusUrls.optional().meta({
          description: 'A bus that somebody else runs, several servers with commas; default the embedded one.',
        }),
        creds: Path.optional().meta({ description: 'The creds file of this agent.' }),
        tls: BusTls.optional(),
        names: z
          .array(ServerName, { error: NAMES_RULE })
          .optional()
          .meta({ description: 'Further names and addresses by which other hosts reach the embedded nats-server.' }),
        retention: RetentionMap.optional().meta({
          description: "What the streams keep; 'muster bus setup' makes them so.",
        }),
      },
      'write a map with listen, names, url, creds, tls or retention',
    ).prefault({}),
    run_as: z.union([UserName, RunAsMap], { error: RUN_AS_RULE }).optional().meta({
      description:
        'As root only: the system users of nats-server, prober and dashboard, made when missing; root: none of their own. Default muster-bus, muster-prober, muster-dashboard.',
    }),
    metrics: strictMap(
      { interval: durationMs(1).default(10_000).meta({ description: 'Between two samples; default 10s.' }) },
      'write {interval: 10s}',
    ).prefault({}),
    log: strictMap(
      { level: z.enum(LOG_LEVELS, { error: `write one of ${LOG_LEVELS.join(', ')}` }).default('info') },
      'write {level: info}',
    ).prefault({}),
  },
  'write a map of "key: value" lines',
);

/** The folder of agent.yaml and services.yaml: `MUSTER_CONFIG_DIR`, else `config`. */
export function configDirOf({ env, currentDir }: AgentSurroundings): string {
  return resolve(currentDir, env['MUSTER_CONFIG_DIR'] || 'config');
}

/** Reads agent.yaml (an empty text when there is none); the environment wins over the file. Never throws. */
export function readAgentConfig(text: string, fileName: string, around: AgentSurroundings): AgentConfigReading {
  const { source, errors: syntaxErrors } = parseYaml(text, fileName);
  if (source === undefined) return { errors: syntaxErrors };
  const shape = checkShape(source, source.value ?? {}, {
    schema: AgentFile,
    nameOf: (path) => ({ section: '', rest: path }),
    synonyms: { env: 'environment', hostname: 'host', nats: 'bus', servers: 'url', credentials: 'creds' },
    isSecret: () => false,
  });
  const variables = readVariables(around.env);
  const errors = [...syntaxErrors, ...shape.errors, ...variables.errors].sort(byPlace);
  if (errors.length > 0 || shape.value === undefined) return { errors };

  const file = shape.value;
  const listen = splitListen(file.bus.listen);
  const stateDir = variables.stateDir ?? file.state_dir ?? '.muster';
  return {
    config: {
      environment: variables.environment ?? file.environment ?? 'development',
      host: variables.host ?? file.host ?? hostIdFrom(around.hostname),
      stateDir: resolve(around.currentDir, stateDir),
      configDir: configDirOf(around),
      isEmbedded: variables.isEmbedded,
      bus: {
        listen,
        url: file.bus.url ?? embeddedBusUrl(listen),
        isExternal: file.bus.url !== undefined,
        ...(file.bus.creds !== undefined && { credsFile: resolve(around.currentDir, file.bus.creds) }),
        ...(file.bus.tls !== undefined && { tls: tlsFilesFrom(file.bus.tls, around.currentDir) }),
        ...(variables.serverProgram !== undefined && { serverProgram: variables.serverProgram }),
      },
      runAs: runAsFrom(file.run_as),
      metricsIntervalMs: file.metrics.interval,
      logLevel: file.log.level,
    },
  };
}

/** JSON Schema (draft 7, which every editor reads) of agent.yaml, for editors. */
export function agentJsonSchema(): Record<string, unknown> {
  return { title: 'Muster agent', ...z.toJSONSchema(AgentFile, { io: 'input', target: 'draft-7' }) };
}

function readVariables(env: AgentSurroundings['env']) {
  const errors: Diagnostic[] = [];
  const read = <T>(name: string, schema: z.ZodType<T>): T | undefined => {
    const written = env[name];
    if (written === undefined || written === '') return undefined;
    const result = schema.safeParse(written);
    if (result.success) return result.data;
    const problem = `the environment variable is ${JSON.stringify(written)}`;
    errors.push({ file: name, line: 0, column: 0, problem, remedy: result.error.issues[0]?.message ?? 'unset it' });
    return undefined;
  };
  const flagRule = 'write 1 or 0';
  return {
    environment: read('MUSTER_ENVIRONMENT', IdText),
    host: read('MUSTER_HOST', IdText),
    stateDir: read('MUSTER_STATE_DIR', Path),
    serverProgram: read('MUSTER_NATS_SERVER', Path),
    isEmbedded: read('MUSTER_EMBEDDED', z.enum(['0', '1'], { error: flagRule })) === '1',
    errors,
  };
}

function runAsFrom(written: z.output<typeof RunAsMap> | string | undefined): RunAs {
  if (typeof written === 'string') return { bus: written, prober: written, dashboard: written };
  return {
    bus: written?.bus ?? OWN_USERS.bus,
    prober: written?.prober ?? OWN_USERS.prober,
    dashboard: written?.dashboard ?? OWN_USERS.dashboard,
  };
}

function splitListen(listen: string): { host: string; port: number } {
  const colon = listen.lastIndexOf(':');
  return { host: listen.slice(0, colon), port: Number(listen.slice(colon + 1)) };
}

function isPort(port: number): boolean {
  return port >= 1 && port <= 65_535;
}
