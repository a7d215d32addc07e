import { once } from 'node:events';
import { chmod, mkdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { isatty } from 'node:tty';
import { credentialsFile, replaceFile, tlsFilesBeside } from '@muster/contracts/files';
import type { Command } from 'commander';
import { claimState } from '../bus/state-folder.ts';
import type { Settings } from '../config.ts';
import type { Act, Context, ExitCode } from '../context.ts';
import { CliError, EXIT } from '../exit-codes.ts';
import { withBusSettings } from '../hosts/agent-file.ts';
import { type Joining, parseJoinToken, SPOKEN_JOIN_LINE } from '../hosts/join-token.ts';
import { examples, JSON_FLAG, type JsonOptions } from './options.ts';

interface JoinOptions extends JsonOptions {
  readonly replace?: true;
  readonly file?: string;
}

export function addJoin(program: Command, act: Act): void {
  program
    .command('join')
    .summary('let the agent of this host join a bus that another host runs')
    .description(
      "Writes the credentials that 'muster host add' made, and config/agent.yaml, so that npm start joins that bus. Reads the line from stdin, or from a file: an argument would be seen by every user of this machine.",
    )
    .usage('[options]')
    .allowExcessArguments()
    .option('--file <path>', "a file with the line that 'muster host add' has printed; default: stdin")
    .option('--replace', 'also when agent.yaml names another host or bus')
    .option(JSON_FLAG, 'print JSON, for programs')
    .addHelpText('after', examples('muster join', 'muster join < web2.join', 'muster join --file web2.join'))
    .action(act(joinBus));
}

async function joinBus(
  { json, replace, file, ...flags }: JoinOptions,
  { terminal, readSettings, signal, stdin }: Context,
  { args }: Command,
): Promise<ExitCode> {
  if (args.length > 0) throw new CliError('usage', SPOKEN_JOIN_LINE);
  const settings = readSettings(flags);
  const joining = parseJoinToken(await (file === undefined ? readLine(stdin, signal) : readText(file)));
  const { environment, host, url } = joining;
  const creds = credentialsFile(joinedDir(settings), { role: 'agent', id: host });
  const agentFile = join(settings.configDir, 'agent.yaml');
  const busSettings = { environment, host, url, creds: pathFor(creds, settings) };
  const text = await withBusSettings(agentFile, busSettings, replace === true);
  claimState(settings, terminal);
  await mkdir(settings.configDir, { recursive: true });
  // The keys come before the file that names them, and after the last thing that may well be refused.
  await replaceText(agentFile, text, () => writeKeys(creds, joining));
  if (json) {
    terminal.printJson({ environment, host, url, creds, config: agentFile });
  } else {
    terminal.print(`host '${host}' belongs to the bus at ${url} now: ${creds}, ${agentFile}`);
    terminal.note('next: npm start (if Muster runs here already, stop it first: Ctrl-C)');
  }
  if (file !== undefined) terminal.note(`delete '${file}': whoever reads it is '${host}'`);
  return EXIT.ok;
}

/** Replaces a file as a whole, once `first` is done; a link stays one, and the file keeps its mode. */
async function replaceText(file: string, text: string, first: () => void): Promise<void> {
  const target = await realpath(file).catch(() => file);
  const draft = `${target}.new`;
  const former = await stat(target).catch(() => undefined);
  try {
    await writeFile(draft, text);
    if (former !== undefined) await chmod(draft, former.mode & 0o777);
    first();
    await rename(draft, target);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

/** Apart from keys/: a clone that ran a bus of its own keeps that bus's keys. */
function joinedDir({ stateDir }: Settings): string {
  return join(stateDir, 'joined');
}

function writeKeys(creds: string, joining: Joining): void {
  const { caFile, certFile, keyFile } = tlsFilesBeside(creds);
  if (joining.tls !== undefined) {
    replaceFile(caFile, joining.tls.ca);
    replaceFile(keyFile, joining.tls.key);
    replaceFile(certFile, joining.tls.cert);
  }
  replaceFile(creds, joining.creds);
}

/** As written in agent.yaml: relative to the clone, where the agent runs, when it lies in it. */
function pathFor(file: string, { rootDir }: Settings): string {
  const inside = relative(rootDir, file);
  return inside.startsWith('..') ? file : inside;
}

async function readText(file: string): Promise<string> {
  return await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new CliError('usage', `cannot read '${file}': ${error.code}`, { cause: error });
  });
}

async function readLine(stdin: NodeJS.ReadStream, signal: AbortSignal): Promise<string> {
  const isTerminal = isatty(0);
  // A terminal that assembles lines itself cuts them at 4,096 characters; readline in its terminal mode does not let it.
  // What it would write are the characters as they come: a secret.
  const lines = createInterface({ input: stdin, output: unseen(), terminal: isTerminal, signal });
  const tell = (text: string) => isTerminal && process.stderr.write(text);
  tell("paste the line that 'muster host add' has printed (it is not shown), then Enter: ");
  try {
    const [line] = await Promise.race([once(lines, 'line'), once(lines, 'close')]);
    return typeof line === 'string' ? line : '';
  } finally {
    tell('\n');
    lines.close();
  }
}

function unseen(): Writable {
  return new Writable({ write: (_text, _encoding, done) => done() });
}
