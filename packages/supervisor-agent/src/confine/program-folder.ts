/**
 * What Muster's own programs have on disk where they run as users of their own. The clone, its state directory and Node may
 * all lie where such a user cannot look (`/root`), so each is given a folder below the state directory, with nothing in it
 * but what it needs, and reaches that by its working directory, to which nobody has to find a way:
 *
 *   programs/                         root, search only: the working directory
 *     bin/node                        where Node is out of reach
 *     health-prober/, dashboard/      root, read by that program's group
 *       bundle/ dist/web package.json config/     copies, brought up to date at each start
 *       keys/                         copies, by whoever makes keys (contracts/src/files/program-keys.ts)
 *       state/                        the program's own
 *   nats/                             root, read by the server's group: its working directory
 *     embedded.conf tls/              written by whoever makes keys
 *     nats.pid jetstream/             the server's own
 *     nats-server                     where the installed one is out of reach
 */
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { copyProgramKeys, type ProgramName, SERVER_FILES, stateLayout } from '@muster/contracts/files';
import type { RunUser } from '../drivers/driver.ts';
import { copyFile, copyFolder, linkProgram } from './copy.ts';
import { handOver } from './hand-over.ts';

export interface ProgramLayout {
  readonly stateDir: string;
  readonly configDir: string;
  /** The clone. */
  readonly rootDir: string;
  readonly program: ProgramName;
  readonly user: RunUser;
  /** Given where this Node is out of the user's reach. */
  readonly node: string | undefined;
}

/** What there is of each program beside its bundle. */
const FURTHER: Readonly<Record<ProgramName, readonly string[]>> = { 'health-prober': [], dashboard: ['dist/web'] };
const CONFIG_FILES: Readonly<Record<ProgramName, string>> = {
  'health-prober': 'prober.yaml',
  dashboard: 'dashboard.yaml',
};
/** What they kept in the state directory itself while they ran as root; the same name in their own. */
const FORMER_STATE: Readonly<Record<ProgramName, string>> = {
  'health-prober': 'prober-main',
  dashboard: 'outbox/dashboard-main',
};

/** To be called while the program does not run. @throws Error when the disk does not take it */
export async function layOutProgram(layout: ProgramLayout): Promise<void> {
  const { stateDir, configDir, rootDir, program, user, node } = layout;
  const programs = stateLayout(stateDir).programsDir;
  const folder = path.join(programs, program);
  ownFolder(programs, 0, 0o711);
  if (node !== undefined) {
    ownFolder(path.join(programs, 'bin'), 0, 0o755);
    linkProgram(node, path.join(programs, 'bin', 'node'));
  }
  ownFolder(folder, user.gid, 0o750);
  const built = path.join(rootDir, 'packages', program);
  copyFile(path.join(built, 'package.json'), path.join(folder, 'package.json'));
  for (const part of ['bundle', ...FURTHER[program]]) {
    if (!existsSync(path.join(built, part))) continue;
    const around = path.dirname(path.join(folder, part));
    if (around !== folder) ownFolder(around, user.gid, 0o750);
    copyFolder(path.join(built, part), path.join(folder, part));
  }
  // Names of what is in a configuration may be nobody else's business.
  ownFolder(path.join(folder, 'config'), user.gid, 0o750);
  copyFile(path.join(configDir, CONFIG_FILES[program]), path.join(folder, 'config', CONFIG_FILES[program]));
  const keys = path.join(folder, 'keys');
  ownFolder(keys, user.gid, 0o2750);
  copyProgramKeys(stateDir);
  ownFiles(keys, user.gid);
  const state = path.join(folder, 'state');
  mkdirSync(state, { recursive: true, mode: 0o700 });
  takeFormerState(path.join(stateDir, FORMER_STATE[program]), path.join(state, FORMER_STATE[program]));
  handOver(state, user);
  chmodSync(state, 0o700);
}

/** To be called while the server does not run. @throws Error when the disk does not take it */
export function layOutServer(stateDir: string, user: RunUser, natsServer: string | undefined): void {
  const server = stateLayout(stateDir).serverDir;
  ownFolder(server, user.gid, 0o2750);
  ownFile(path.join(server, SERVER_FILES.confinedConfig), user.gid);
  const tls = path.join(server, SERVER_FILES.tls);
  ownFolder(tls, user.gid, 0o2750);
  ownFiles(tls, user.gid);
  if (natsServer !== undefined) linkProgram(natsServer, path.join(server, 'nats-server'));
  const pid = path.join(server, SERVER_FILES.pid);
  writeFileSync(pid, '', { flag: 'a' });
  chownSync(pid, user.uid, user.gid);
  chmodSync(pid, 0o644);
  const store = path.join(server, SERVER_FILES.store);
  mkdirSync(store, { recursive: true, mode: 0o700 });
  handOver(store, user);
  chmodSync(store, 0o700);
}

/** Root's, made when missing. */
function ownFolder(folder: string, gid: number, mode: number): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chownSync(folder, 0, gid);
  // Last, and whatever the umask says.
  chmodSync(folder, mode);
}

function ownFiles(folder: string, gid: number): void {
  for (const name of readdirSync(folder)) ownFile(path.join(folder, name), gid);
}

/** Root's, read by that group. */
function ownFile(file: string, gid: number): void {
  if (!existsSync(file)) return;
  chownSync(file, 0, gid);
  chmodSync(file, 0o640);
}

function takeFormerState(former: string, own: string): void {
  if (!existsSync(former) || existsSync(own)) return;
  mkdirSync(path.dirname(own), { recursive: true, mode: 0o700 });
  renameSync(former, own);
}
