import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ID_PATTERN, MAIN_ID, parseListen, type TlsFiles } from '@muster/contracts';
import {
  BusTls,
  BusUrls,
  busServers,
  checkShape,
  formatDiagnostic,
  IdText,
  parseYaml,
  strictMap,
  tlsFilesFrom,
} from '@muster/contracts/config';
import { credentialsFile, stateLayout } from '@muster/contracts/files';
import { z } from 'zod';
import { isLoopbackName } from './guard.ts';
import { readUsers } from './users.ts';

export interface DashboardConfig {
  readonly listen: { readonly host: string; readonly port: number };
  /** Names this dashboard on the bus. */
  readonly id: string;
  readonly environment: string;
  readonly bus: { readonly servers: readonly string[]; readonly credentialsFile: string; readonly tls?: TlsFiles };
  readonly stateDir: string;
  /** The accounts of this machine that it answers. */
  readonly owners: readonly number[];
}

/** What is wrong, one line each: with file, line and column, or with the variable's name. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

const FILE = 'dashboard.yaml';
const DEFAULT_LISTEN = '127.0.0.1:8003';
const DEFAULT_BUS_URL = 'nats://127.0.0.1:4222';

/** This package: dist/server/config.js, bundle/main.js and server/config.ts all lie in it. */
export const PACKAGE_DIR = resolve(
  import.meta.dirname,
  import.meta.dirname.endsWith(join('dist', 'server')) ? '../..' : '..',
);
/** The clone that it is part of. */
const ROOT_DIR = resolve(PACKAGE_DIR, '../..');

const LISTEN_RULE = `write address:port, such as ${DEFAULT_LISTEN}`;
const LOOPBACK_RULE = `write a loopback address, such as ${DEFAULT_LISTEN}: other addresses need sign-in, which this version does not have`;
const text = (rule: string) => z.string({ error: rule }).min(1, { error: rule });

const Listen = z.union([z.string(), z.int()], { error: LISTEN_RULE }).transform((value, context) => {
  const listen = parseListen(String(value));
  if (listen === undefined) context.addIssue({ code: 'custom', message: LISTEN_RULE });
  else if (!isLoopbackName(listen.host)) context.addIssue({ code: 'custom', message: LOOPBACK_RULE });
  return listen ?? { host: '', port: 0 };
});

const UID_RULE = 'write uids, 0 to 4294967294';
const OWNERS_RULE = 'write a list of user names or uids, such as [kim, 1001]';
const MAX_OWNERS = 100;
/** The one above is no account: it stands for none. */
const Uid = z.int({ error: UID_RULE }).min(0, { error: UID_RULE }).max(4_294_967_294, { error: UID_RULE });

const Owner = z.union([Uid, z.string().min(1)], { error: OWNERS_RULE }).transform((value, context) => {
  if (typeof value === 'number') return value;
  const uid = /^\d+$/.test(value) ? Uid.safeParse(Number(value)).data : readUsers().uidOf(value);
  if (uid === undefined)
    context.addIssue({
      code: 'custom',
      message: `there is no such user in /etc/passwd; write the uid of an account that another directory knows`,
    });
  return uid ?? 0;
});

/** dashboard.yaml as written. */
const FileShape = strictMap(
  {
    listen: Listen.optional().meta({
      description: `Where the page and the API are, on loopback; default ${DEFAULT_LISTEN}.`,
    }),
    id: IdText.optional().meta({ description: "This dashboard's id; default main." }),
    environment: IdText.optional().meta({ description: 'The name of the fleet; default development.' }),
    owners: z
      .array(Owner, { error: OWNERS_RULE })
      .max(MAX_OWNERS, { error: `write at most ${MAX_OWNERS}` })
      .optional()
      .meta({
        description:
          'Further accounts of this machine, names or uids, that may use the dashboard, beside root and who started Muster.',
      }),
    bus: strictMap(
      {
        url: BusUrls.optional().meta({
          description: `The servers of the bus, several with commas; default ${DEFAULT_BUS_URL}.`,
        }),
        creds: text('write the path of a creds file')
          .optional()
          .meta({ description: 'The creds file of this dashboard.' }),
        tls: BusTls.optional(),
      },
      'write a map with url, creds and tls',
    ).optional(),
  },
  'write a map of settings, such as listen: 127.0.0.1:8003',
);

/** JSON Schema (draft 7, which every editor reads) of dashboard.yaml, for editors. */
export function dashboardJsonSchema(): Record<string, unknown> {
  return { title: 'Muster dashboard', ...z.toJSONSchema(FileShape, { io: 'input', target: 'draft-7' }) };
}

/** Variables win over the file, the file over the defaults of a clone. @throws ConfigError */
export function readConfig(
  env: Readonly<Record<string, string | undefined>>,
  ownUid = process.getuid?.(),
): DashboardConfig {
  const configDir = resolve(env['MUSTER_CONFIG_DIR'] || join(ROOT_DIR, 'config'));
  const stateDir = resolve(env['MUSTER_STATE_DIR'] || join(ROOT_DIR, '.muster'));
  // What is read may be a copy, for a dashboard that cannot reach the file itself: messages name the file.
  const file = readFile(join(configDir, FILE), join(resolve(env['MUSTER_CONFIG_SOURCE'] || configDir), FILE));
  const id = env['MUSTER_DASHBOARD_ID'] || file.id || MAIN_ID;
  const environment = env['MUSTER_ENVIRONMENT'] || file.environment || 'development';
  const problems = Object.entries({ MUSTER_DASHBOARD_ID: id, MUSTER_ENVIRONMENT: environment })
    .filter(([, value]) => !ID_PATTERN.test(value))
    .map(
      ([name, value]) => `${name} is '${value}'; write 1 to 63 of a-z, 0-9, _ and -, starting with a letter or a digit`,
    );
  const urls = BusUrls.safeParse(env['MUSTER_BUS_URL'] || file.bus?.url || DEFAULT_BUS_URL);
  const starters = startersOf(env, ownUid);
  if (starters === undefined) problems.push(`MUSTER_OWNERS is '${env['MUSTER_OWNERS']}'; ${UID_RULE}, with commas`);
  // Not quoted: there may be a password in it.
  for (const { message } of urls.error?.issues ?? [])
    problems.push(`MUSTER_BUS_URL is no address of a bus; ${message}`);
  if (urls.data === undefined || starters === undefined || problems.length > 0) throw new ConfigError(problems);
  const credentials =
    env['MUSTER_BUS_CREDENTIALS'] ||
    file.bus?.creds ||
    credentialsFile(stateLayout(stateDir).keysDir, { role: 'dashboard', id });
  const tls = file.bus?.tls === undefined ? undefined : tlsFilesFrom(file.bus.tls, process.cwd());
  return {
    listen: file.listen ?? { host: '127.0.0.1', port: 8003 },
    id,
    environment,
    bus: { servers: busServers(urls.data), credentialsFile: resolve(credentials), ...(tls !== undefined && { tls }) },
    stateDir,
    owners: [...new Set([...starters, ...(file.owners ?? [])])],
  };
}

/**
 * Who started Muster. An agent says it, and may run this program as a user that nobody is; else it is root, who runs this
 * program, and who did so with sudo. `undefined` when what the agent says cannot be read.
 */
function startersOf(env: Readonly<Record<string, string | undefined>>, ownUid: number | undefined) {
  const told = env['MUSTER_OWNERS'];
  const uidOf = (text: string) => (/^\d{1,10}$/.test(text) ? Uid.safeParse(Number(text)).data : undefined);
  if (!told) return [0, ownUid, uidOf(env['SUDO_UID'] ?? '')].filter((uid) => uid !== undefined);
  const uids = told.split(',').map((text) => uidOf(text.trim()));
  return uids.includes(undefined) ? undefined : uids.filter((uid) => uid !== undefined);
}

function readFile(path: string, name: string): z.output<typeof FileShape> {
  let contents: string;
  try {
    contents = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new ConfigError([`cannot read '${name}': ${(error as Error).message}`]);
  }
  const { source, errors } = parseYaml(contents, name);
  if (source === undefined || errors.length > 0) throw new ConfigError(errors.map(formatDiagnostic));
  // A file of nothing but comments is empty, not wrong.
  if (source.value === null) return {};
  const shape = checkShape(source, source.value, {
    schema: FileShape,
    nameOf: (place) => ({ section: '', rest: place }),
    synonyms: { port: 'listen', address: 'listen', credentials: 'creds', servers: 'url', env: 'environment' },
    isSecret: () => false,
  });
  if (shape.value === undefined) throw new ConfigError(shape.errors.map(formatDiagnostic));
  return shape.value;
}
