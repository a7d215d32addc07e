import { z } from 'zod';
import {
  jsonBytes,
  MAX_DEPENDENCIES,
  MAX_ENVIRONMENT_NAMES,
  MAX_LABEL_BYTES,
  MAX_LABELS,
  MAX_SERVICES,
  MAX_URL_CHARS,
} from '../bounds.ts';
import { ID_PATTERN } from '../ids.ts';
import { durationMs, sizeBytes } from './units.ts';

/**
 * The shape of services.yaml, as written. Each message says what would do: the reader puts what was found before it.
 * What needs more than one value (clashes, cycles, a probe without a port) is judged after it, in cross-checks.ts and to-spec.ts.
 */

const SERVICE_TYPE_NAMES = ['process', 'fastapi', 'docker', 'systemd', 'supervisor'] as const;
export type ServiceTypeName = (typeof SERVICE_TYPE_NAMES)[number];

const DEPENDENCY_CONDITIONS = ['started', 'ready', 'completed'] as const;
export type DependencyCondition = (typeof DEPENDENCY_CONDITIONS)[number];

const STOP_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGKILL', 'SIGUSR1', 'SIGUSR2'] as const;
export type StopSignal = (typeof STOP_SIGNALS)[number];

/** `service`, or `host/service` for one on another host. */
export const DEPENDENCY_PATTERN = /^([a-z0-9][a-z0-9_-]{0,62}\/)?[a-z0-9][a-z0-9_-]{0,62}$/;

const oneOf = (values: readonly string[]) => `write one of ${values.join(', ')}`;
const ID_RULE = 'write 1 to 63 of a-z, 0-9, _ and -, starting with a letter or a digit';
const MAP_RULE = 'write a map of "NAME: value" lines';

/** The id of a service, host or environment. */
export const IdText = z.string({ error: ID_RULE }).regex(ID_PATTERN, { error: ID_RULE });

/**
 * A map that knows all its keys. `rule` says what would do where something else stands; the message of an unknown key is
 * the known ones, separated by spaces, for the reader of the issue to choose from.
 */
export function strictMap<Shape extends z.core.$ZodLooseShape>(shape: Shape, rule: string) {
  const known = Object.keys(shape).join(' ');
  return z.strictObject(shape, { error: ({ code }) => (code === 'unrecognized_keys' ? known : rule) });
}

/** Of a path, as Linux takes it. */
const MAX_PATH_CHARS = 4_096;

const text = (rule: string, maxChars = MAX_PATH_CHARS) =>
  z
    .string({ error: rule })
    .min(1, { error: rule })
    .max(maxChars, { error: `write at most ${maxChars} characters` });

function atMost(count: number, what: string) {
  return { error: `write at most ${count} ${what}: the bus carries no more` };
}
const bool = z.boolean({ error: 'write true or false' });

/** A whole number within bounds, both included. */
export function wholeNumber(minimum: number, maximum: number) {
  const error = `write a whole number from ${minimum} to ${maximum}, without quotes`;
  return z.int({ error }).min(minimum, { error }).max(maximum, { error });
}

export const Port = wholeNumber(1, 65_535);

const URL_RULE =
  'write an http:// or https:// address without user and password, such as http://localhost:8001/api/health';
const HttpUrl = z
  .string({ error: URL_RULE })
  .max(MAX_URL_CHARS, atMost(MAX_URL_CHARS, 'characters'))
  .refine(isPlainHttpUrl, { error: URL_RULE });

function isPlainHttpUrl(value: string): boolean {
  if (!/^https?:\/\//i.test(value) || !URL.canParse(value)) return false;
  const { hostname, username, password } = new URL(value);
  return hostname !== '' && username === '' && password === '';
}

const MAP_VALUE_RULE = 'write a string, number, true or false, and "" for an empty value';
const MapValue = z.union([z.string(), z.number(), z.boolean()], { error: MAP_VALUE_RULE });

/** Names that a POSIX environment can carry and `sh` can read. */
const VARIABLE_RULE = 'write a name of letters, digits and _, not starting with a digit';
const VariableName = z
  .string()
  .max(128, atMost(128, 'characters'))
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, { error: VARIABLE_RULE });
const LABEL_RULE = 'write a label of 1 to 63 letters, digits, ".", "_", "/" and "-"';
const LabelName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$/, { error: LABEL_RULE });

const LabelValue = z
  .union([z.string(), z.number(), z.boolean()], { error: MAP_VALUE_RULE })
  .refine((value) => jsonBytes(String(value)) <= MAX_LABEL_BYTES, atMost(MAX_LABEL_BYTES, 'bytes'));

/** Of names, values and paths that the kernel takes. */
const MAX_COMMAND_CHARS = 32_768;
const MAX_WORDS = 4_096;

/** A map with at most so many names. */
function smallMap<V extends z.ZodType>(name: z.ZodString, value: V, maxNames: number, what: string) {
  return z
    .record(name, value, { error: MAP_RULE })
    .refine((map) => Object.keys(map).length <= maxNames, atMost(maxNames, what));
}

const COMMAND_RULE = 'write the command as one string, or as a list of its words';
const Command = z
  .union(
    [
      text(COMMAND_RULE, MAX_COMMAND_CHARS),
      z
        .array(text(COMMAND_RULE, MAX_COMMAND_CHARS), { error: COMMAND_RULE })
        .min(1, { error: COMMAND_RULE })
        .max(MAX_WORDS, { error: `write at most ${MAX_WORDS} words` }),
    ],
    {
      error: COMMAND_RULE,
    },
  )
  .meta({ description: 'What to run. For docker the image, for systemd the unit, for supervisor the program.' });

const DEPENDENCY_RULE = 'write a service name, host/service, or {service: name, condition: started|ready|completed}';
const Dependency = z.union(
  [
    z.string({ error: DEPENDENCY_RULE }).regex(DEPENDENCY_PATTERN, { error: DEPENDENCY_RULE }),
    strictMap(
      {
        service: z.string({ error: DEPENDENCY_RULE }).regex(DEPENDENCY_PATTERN, { error: DEPENDENCY_RULE }),
        condition: z.enum(DEPENDENCY_CONDITIONS, { error: oneOf(DEPENDENCY_CONDITIONS) }).default('ready'),
      },
      DEPENDENCY_RULE,
    ),
  ],
  { error: DEPENDENCY_RULE },
);

const PATH_RULE = 'write a path that starts with /, such as /api/health';
const HttpCheck = strictMap(
  {
    url: HttpUrl.optional(),
    path: z
      .string({ error: PATH_RULE })
      .max(MAX_URL_CHARS, atMost(MAX_URL_CHARS, 'characters'))
      .regex(/^\//, { error: PATH_RULE })
      .optional(),
    port: Port.optional(),
    status: wholeNumber(100, 599).optional(),
  },
  'write {path: /api/health} or {url: http://…}',
);

const HOST_RULE = 'write a host name or an address';
const TcpCheck = strictMap({ port: Port.optional(), host: text(HOST_RULE).optional() }, 'write {port: 5432}');

/** Names and defaults are those of Kubernetes. */
const Probe = strictMap(
  {
    http: HttpCheck.optional(),
    tcp: TcpCheck.optional(),
    initial_delay: durationMs(0).default(0),
    period: durationMs(1).default(10_000),
    timeout: durationMs(1).default(1_000),
    success_threshold: wholeNumber(1, 1_000).default(1),
    failure_threshold: wholeNumber(1, 1_000).default(3),
  },
  'write {http: {path: /api/health}} or {tcp: {port: 5432}}',
);
export type ProbeEntry = z.output<typeof Probe>;

const Logs = strictMap(
  {
    ship: bool
      .default(true)
      .meta({ description: 'Whether its lines go to the bus; they are on the host in any case.' }),
    rate: sizeBytes().default(65_536).meta({ description: 'How much a second is shipped; the rest is counted.' }),
    burst: sizeBytes().default(1_048_576).meta({ description: 'How much at once, after a quiet time.' }),
  },
  'write {ship: true, rate: 64KiB, burst: 1MiB}',
);

const ENV_FILE_RULE = 'write a path, or a list of paths';
const LIST_RULE = 'write a list: [a, b], or one "- …" line each';

export const ServiceEntry = strictMap(
  {
    name: IdText.meta({ description: 'Unique on this host.' }),
    type: z
      .enum(SERVICE_TYPE_NAMES, { error: oneOf(SERVICE_TYPE_NAMES) })
      .default('process')
      .meta({ description: 'Which driver runs it.' }),
    command: Command,
    working_directory: text('write the path of a directory').optional(),
    port: Port.optional().meta({ description: 'The port it listens on; no two services of a host share one.' }),
    health_check_url: HttpUrl.optional().meta({ description: 'Startup, readiness and liveness probe in one.' }),
    // A fastapi service has `PORT` beside them.
    environment: smallMap(VariableName, MapValue, MAX_ENVIRONMENT_NAMES - 1, 'variables').default({}),
    env_file: z
      .union(
        [
          text(ENV_FILE_RULE),
          z.array(text(ENV_FILE_RULE), { error: ENV_FILE_RULE }).max(64, { error: 'write at most 64 paths' }),
        ],
        { error: ENV_FILE_RULE },
      )
      .optional()
      .meta({ description: 'Files of NAME=value lines, read at each start.' }),
    dependencies: z
      .array(Dependency, { error: LIST_RULE })
      .max(MAX_DEPENDENCIES, atMost(MAX_DEPENDENCIES, 'dependencies'))
      .default([]),
    auto_restart: bool.default(true),
    max_restarts: wholeNumber(0, 10_000).default(10).meta({ description: 'Automatic restarts allowed in the window.' }),
    restart_delay: durationMs(0)
      .optional()
      .meta({ description: 'Constant delay before each restart; absent: 0 s, then 1 s doubling up to 60 s.' }),
    stop_signal: z.enum(STOP_SIGNALS, { error: oneOf(STOP_SIGNALS) }).default('SIGTERM'),
    stop_timeout: durationMs(0).default(10_000).meta({ description: 'From the stop signal to SIGKILL.' }),
    job: bool.default(false).meta({ description: 'Runs to its end once; restarted on failure only.' }),
    probes: z
      .strictObject(
        { startup: Probe.optional(), readiness: Probe.optional(), liveness: Probe.optional() },
        'write a map with startup, readiness or liveness',
      )
      .default({}),
    labels: smallMap(LabelName, LabelValue, MAX_LABELS, 'labels').default({}),
    logs: Logs.prefault({}),
    slow_retry: bool.default(true).meta({ description: 'One attempt every 10 min after the restart budget is spent.' }),
  },
  'write a map that starts with "name:"',
);
export type ServiceEntry = z.output<typeof ServiceEntry>;

/** The whole file. An empty one names no services. */
export const ServicesFile = strictMap(
  {
    services: z
      .array(ServiceEntry, { error: 'write a list with one "- name: …" entry for each service' })
      .max(MAX_SERVICES, atMost(MAX_SERVICES, 'services'))
      .nullable()
      .default([]),
  },
  'write "services:" and below it a list',
);

/** JSON Schema (draft 7, which every editor reads) of services.yaml, for editors. */
export function servicesJsonSchema(): Record<string, unknown> {
  return { title: 'Muster services', ...z.toJSONSchema(ServicesFile, { io: 'input', target: 'draft-7' }) };
}
