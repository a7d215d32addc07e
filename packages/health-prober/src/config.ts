import { resolve } from 'node:path';
import { MAIN_ID, type TlsFiles } from '@muster/contracts';
import {
  BusTls,
  BusUrls,
  busServers,
  byPlace,
  checkShape,
  type Diagnostic,
  durationMs,
  IdText,
  parseYaml,
  strictMap,
  tlsFilesFrom,
  wholeNumber,
} from '@muster/contracts/config';
import { z } from 'zod';
import { parseNetwork } from './core/address.ts';
import { isInLoopback } from './core/reach.ts';
import type { ProbePolicy } from './runtime/probing.ts';

/** How this prober runs, with every default filled in. Paths are absolute. */
interface ProberConfig {
  readonly id: string;
  readonly environment: string;
  readonly servers: readonly string[];
  readonly credentialsFile?: string;
  readonly tls?: TlsFiles;
  readonly stateDir: string;
  readonly policy: ProbePolicy;
  /** `<agent-id>/<service>/<instance>/<generation>` when an agent started this prober. */
  readonly musterRun?: string;
}

export interface ProberSurroundings {
  /** `process.env`, or as much of it as should count. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Relative paths start here. */
  readonly currentDir: string;
}

export type ProberConfigReading = { readonly config: ProberConfig } | { readonly errors: readonly Diagnostic[] };

const PATH_RULE = 'write a path';
const Path = z.string({ error: PATH_RULE }).min(1, { error: PATH_RULE });

const ServerList = BusUrls.transform(busServers);

const NETWORK_RULE = 'write an address, or a network like 10.0.0.0/8 or fd00::/8';
const LOOPBACK_RULE =
  'leave it out: a loopback address is probed for the services of its own machine, and for no other';
const NetworkList = z
  .array(
    z
      .string({ error: NETWORK_RULE })
      .refine((text) => parseNetwork(text) !== undefined, { error: NETWORK_RULE, abort: true })
      .refine((text) => !isLoopbackNetwork(text), { error: LOOPBACK_RULE }),
    { error: 'write a list of addresses and networks' },
  )
  .max(1_000, { error: 'write at most 1,000' });

/** The shape of prober.yaml; every key may be left out. */
const ProberFile = strictMap(
  {
    id: IdText.optional().meta({ description: "This prober's id; default main." }),
    environment: IdText.optional().meta({ description: 'The name of the fleet; default development.' }),
    state_dir: Path.optional().meta({ description: 'Default .muster; the prober keeps its own folder there.' }),
    bus: strictMap(
      {
        url: ServerList.optional().meta({ description: 'The servers of the bus; default nats://127.0.0.1:4222.' }),
        creds: Path.optional().meta({ description: 'The creds file of this prober.' }),
        tls: BusTls.optional(),
      },
      'write a map with url, creds or tls',
    ).prefault({}),
    interval: durationMs(1).default(30_000).meta({ description: 'Between two probes of a target; default 30s.' }),
    retry: durationMs(1).default(5_000).meta({ description: 'While a failure is being confirmed; default 5s.' }),
    attempts: wholeNumber(1, 100)
      .default(3)
      .meta({ description: 'Failures in a row that make it certain; default 3.' }),
    timeout: durationMs(1).default(10_000).meta({ description: 'For one probe; default 10s.' }),
    degraded_after: durationMs(1).default(2_000).meta({ description: 'A slower answer is degraded; default 2s.' }),
    quorum: wholeNumber(1, 1_000).optional().meta({ description: 'Vantages that must agree; default most of them.' }),
    max_concurrent: wholeNumber(1, 10_000).default(200).meta({ description: 'Probes at once; default 200.' }),
    targets: strictMap(
      {
        allow: NetworkList.optional().meta({ description: 'Opens what is closed: link-local, multicast, metadata.' }),
        deny: NetworkList.optional().meta({ description: 'Closes what is open.' }),
      },
      'write a map with allow and deny',
    )
      .prefault({})
      .meta({ description: 'Which addresses are probed. The narrowest entry decides; of two equal ones, deny.' }),
    max_targets_per_host: wholeNumber(1, 100_000)
      .default(1_000)
      .meta({ description: 'More services of one host are not probed; default 1000.' }),
    max_concurrent_per_host: wholeNumber(1, 1_000).default(10).meta({ description: 'To one host; default 10.' }),
  },
  'write a map of "key: value" lines',
);

/** JSON Schema (draft 7, which every editor reads) of prober.yaml, for editors. */
export function proberJsonSchema(): Record<string, unknown> {
  return { title: 'Muster prober', ...z.toJSONSchema(ProberFile, { io: 'input', target: 'draft-7' }) };
}

/** Where prober.yaml is: in `MUSTER_CONFIG_DIR`, else in `config`. */
export function configFileOf({ env, currentDir }: ProberSurroundings): string {
  return resolve(currentDir, env['MUSTER_CONFIG_DIR'] || 'config', 'prober.yaml');
}

/** What that file is called in messages: what is read may be a copy, for a prober that cannot reach the file itself. */
export function configNameOf(around: ProberSurroundings): string {
  const source = around.env['MUSTER_CONFIG_SOURCE'];
  return source ? resolve(source, 'prober.yaml') : configFileOf(around);
}

/** Reads prober.yaml (an empty text when there is none); the environment wins over the file. Never throws. */
export function readProberConfig(text: string, fileName: string, around: ProberSurroundings): ProberConfigReading {
  const { source, errors: syntaxErrors } = parseYaml(text, fileName);
  if (source === undefined) return { errors: syntaxErrors };
  const shape = checkShape(source, source.value ?? {}, {
    schema: ProberFile,
    nameOf: (path) => ({ section: '', rest: path }),
    synonyms: {
      retries: 'attempts',
      period: 'interval',
      env: 'environment',
      name: 'id',
      nats: 'bus',
      credentials: 'creds',
      servers: 'url',
    },
    isSecret: () => false,
  });
  const variables = readVariables(around.env);
  const errors = [...syntaxErrors, ...shape.errors, ...variables.errors].sort(byPlace);
  if (errors.length > 0 || shape.value === undefined) return { errors };

  const file = shape.value;
  const id = variables.id ?? file.id ?? MAIN_ID;
  const credentialsFile = variables.credentials ?? file.bus.creds;
  return {
    config: {
      id,
      environment: variables.environment ?? file.environment ?? 'development',
      servers: variables.servers ?? file.bus.url ?? ['nats://127.0.0.1:4222'],
      ...(credentialsFile !== undefined && { credentialsFile: resolve(around.currentDir, credentialsFile) }),
      ...(file.bus.tls !== undefined && { tls: tlsFilesFrom(file.bus.tls, around.currentDir) }),
      // The state directory may be shared with the agent and with other probers.
      stateDir: resolve(around.currentDir, variables.stateDir ?? file.state_dir ?? '.muster', `prober-${id}`),
      policy: {
        cadence: { intervalMs: file.interval, retryMs: Math.min(file.retry, file.interval) },
        targetsPerHost: file.max_targets_per_host,
        rules: { allow: networksOf(file.targets.allow), deny: networksOf(file.targets.deny) },
        caps: { total: file.max_concurrent, perHost: file.max_concurrent_per_host },
        attempts: file.attempts,
        timeoutMs: file.timeout,
        degradedAfterMs: file.degraded_after,
        quorum: file.quorum,
      },
      ...(around.env['MUSTER_RUN'] && { musterRun: around.env['MUSTER_RUN'] }),
    },
  };
}

function networksOf(texts: readonly string[] = []) {
  return texts.flatMap((text) => parseNetwork(text) ?? []);
}

function isLoopbackNetwork(text: string): boolean {
  const network = parseNetwork(text);
  return network !== undefined && isInLoopback(network);
}

function readVariables(env: ProberSurroundings['env']) {
  const errors: Diagnostic[] = [];
  const read = <T>(name: string, schema: z.ZodType<T>): T | undefined => {
    const written = env[name];
    if (written === undefined || written === '') return undefined;
    const result = schema.safeParse(written);
    if (result.success) return result.data;
    const remedy = result.error.issues[0]?.message ?? 'unset it';
    errors.push({ file: name, line: 0, column: 0, problem: 'the environment variable has a bad value', remedy });
    return undefined;
  };
  return {
    id: read('MUSTER_PROBER_ID', IdText),
    environment: read('MUSTER_ENVIRONMENT', IdText),
    stateDir: read('MUSTER_STATE_DIR', Path),
    servers: read('MUSTER_BUS_URL', ServerList),
    credentials: read('MUSTER_BUS_CREDENTIALS', Path),
    errors,
  };
}
