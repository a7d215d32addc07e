import { once } from 'node:events';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { isatty } from 'node:tty';
import { credentialsFile, tlsFilesBeside, writePrivateFile } from '@muster/contracts/bus';
import type { Command } from 'commander';
import { withBusSettings } from '../agent-file.ts';
import type { Flags, Settings } from '../config.ts';
import type { Context, ExitCode, Run } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { type Joining, parseJoinToken } from '../join-token.ts';
import { examples, JSON_FLAG } from './options.ts';

interface JoinOptions extends Flags {
  readonly json?: true;
  readonly replace?: true;
}

export function addJoin(program: Command, context: Context, run: Run): void {
  program
    .command('join')
    .summary('let the agent of this host join a bus that another host runs')
    .description(
      "Writes the credentials that 'muster host add' made, and config/agent.yaml, so that npm start joins that bus. Without a token it reads one line from stdin: then the secret is in no shell's history.",
    )
    .argument('[token]', "the word that 'muster host add' has printed")
    .option('--replace', 'also when agent.yaml names another host or bus')
    .option(JSON_FLAG, 'print JSON, for programs')
    .addHelpText('after', examples('muster join', 'muster join muster1.xxxx', 'muster join < web2.join'))
    .action((token: string | undefined, _options: unknown, command: Command) =>
      run(() => joinBus(token, command.optsWithGlobals<JoinOptions>(), context)),
    );
}

async function joinBus(
  token: string | undefined,
  { json, replace, ...flags }: JoinOptions,
  { terminal, readSettings, signal, stdin }: Context,
): Promise<ExitCode> {
  const settings = readSettings(flags);
  const joining = parseJoinToken(token ?? (await readLine(stdin, signal)));
  const { environment, host, url } = joining;
  const creds = credentialsFile(joinedDir(settings), { role: 'agent', id: host });
  const agentFile = join(settings.configDir, 'agent.yaml');
  const busSettings = { environment, host, url, creds: pathFor(creds, settings) };
  const text = await withBusSettings(agentFile, busSettings, replace === true);
  // The keys come first: an agent.yaml that names them never names what is not there.
  await writeKeys(creds, joining);
  await mkdir(settings.configDir, { recursive: true });
  await writeFile(`${agentFile}.new`, text);
  await rename(`${agentFile}.new`, agentFile);
  if (json) {
    terminal.printJson({ environment, host, url, creds, config: agentFile });
  } else {
    terminal.print(`host '${host}' belongs to the bus at ${url} now: ${creds}, ${agentFile}`);
    terminal.note('next: npm start (if Muster runs here already, stop it first: Ctrl-C)');
  }
  return EXIT.ok;
}

/** Apart from keys/: a clone that ran a bus of its own keeps that bus's keys. */
function joinedDir({ stateDir }: Settings): string {
  return join(stateDir, 'joined');
}

async function writeKeys(creds: string, joining: Joining): Promise<void> {
  const { caFile, certFile, keyFile } = tlsFilesBeside(creds);
  if (joining.tls !== undefined) {
    await writePrivateFile(caFile, joining.tls.ca);
    await writePrivateFile(keyFile, joining.tls.key);
    await writePrivateFile(certFile, joining.tls.cert);
  }
  await writePrivateFile(creds, joining.creds);
}

/** As written in agent.yaml: relative to the clone, where the agent runs, when it lies in it. */
function pathFor(file: string, { rootDir }: Settings): string {
  const inside = relative(rootDir, file);
  return inside.startsWith('..') ? file : inside;
}

async function readLine(stdin: NodeJS.ReadStream, signal: AbortSignal): Promise<string> {
  const isTerminal = isatty(0);
  // A terminal that assembles lines itself cuts them at 4,096 characters; readline in its terminal mode does not let it.
  const lines = createInterface({
    input: stdin,
    output: process.stderr,
    terminal: isTerminal,
    prompt: "paste the line that 'muster host add' has printed, then Enter: ",
    signal,
  });
  if (isTerminal) lines.prompt();
  try {
    const [line] = await Promise.race([once(lines, 'line'), once(lines, 'close')]);
    return typeof line === 'string' ? line : '';
  } finally {
    lines.close();
  }
}
