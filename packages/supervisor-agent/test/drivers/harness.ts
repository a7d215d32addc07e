import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually, NOBODY } from '@muster/testkit';
import type { Run, RunSpec } from '../../src/drivers/driver.ts';
import { ProcessDriver } from '../../src/drivers/process/driver.ts';
import { isDead, listProcesses, readStat, signalProcess } from '../../src/drivers/process/proc.ts';
import { Output } from '../../src/output/output.ts';

/** Without an account of that id the numbers do just as well. */
export const OTHER_USER = { uid: NOBODY, gid: NOBODY } as const;

/** Never aborts: the deadline of a test is the runner's. */
export const never = new AbortController().signal;

/** A folder with a process driver in it; at the end nothing that bears its agent id is left. */
export class Bench implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'muster-driver-'));
  readonly agentId = `agent-${this.folder.split('-').at(-1)?.toLowerCase()}`;
  readonly runtimeFolder = join(this.folder, 'runtime');
  readonly log = join(this.folder, 'log');
  /** What was told of the output writer. */
  readonly problems: (string | undefined)[] = [];
  output = this.#openOutput();
  driver = this.#openDriver();

  spec(command: RunSpec['command'], more: Partial<RunSpec> = {}): RunSpec {
    return {
      agentId: this.agentId,
      service: 'api',
      instance: 0,
      generation: 1,
      command,
      cwd: this.folder,
      environment: { PATH: process.env['PATH'] ?? '' },
      specHash: 'hash',
      logFiles: { stdout: this.log, stderr: this.log },
      ...more,
    };
  }

  /** Starts and insists. */
  async start(command: RunSpec['command'], more: Partial<RunSpec> = {}): Promise<Run> {
    return insist(await this.driver.start(this.spec(command, more), never));
  }

  /** What an agent knows after it was killed: nothing but the runtime folder. */
  async forget(): Promise<void> {
    await this.close();
    this.output = this.#openOutput();
    this.driver = this.#openDriver();
  }

  /** Waits until all that was printed is in its file. */
  flush(): Promise<void> {
    return this.output.flush(never);
  }

  read(name = 'log'): string {
    try {
      return readFileSync(join(this.folder, name), 'utf8');
    } catch {
      return '';
    }
  }

  lines(name = 'log'): string[] {
    return this.read(name)
      .split('\n')
      .filter((line) => line !== '');
  }

  write(name: string, text: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, text, { mode: 0o755 });
    return path;
  }

  /** The journals of all runs; `path` is relative to the folder. */
  journals(): { path: string; text: string }[] {
    return readdirSync(this.runtimeFolder, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('/journal'))
      .map((path) => join('runtime', path))
      .map((path) => ({ path, text: this.read(path) }));
  }

  /** Live processes whose environment holds `MUSTER_RUN` or `MUSTER_SHIM` of this bench. */
  tagged(variable: 'MUSTER_RUN' | 'MUSTER_SHIM'): number[] {
    return listProcesses()
      .map(({ pid }) => pid)
      .filter((pid) => environOf(pid).includes(`${variable}=${this.agentId}/`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
    for (const member of listProcesses()) {
      const isOurs = environOf(member.pid).includes(`${this.agentId}/`) || folderOf(member.pid) === this.runtimeFolder;
      if (isOurs) signalProcess(member, 'SIGKILL');
    }
    // What is just being killed may still write a file: again for a moment.
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }

  #openOutput(): Output {
    return new Output({
      runtimeFolder: this.runtimeFolder,
      program: [outputWriter()],
      onProblem: (reason) => this.problems.push(reason),
    });
  }

  #openDriver(): ProcessDriver {
    return new ProcessDriver({ runtimeFolder: this.runtimeFolder, output: this.output });
  }

  /** The agent is gone; nothing else is. */
  async close(): Promise<void> {
    await this.driver[Symbol.asyncDispose]();
    this.output[Symbol.dispose]();
  }
}

/** The run, or an error with the reason why there is none. */
export function insist(outcome: { readonly kind: string }): Run {
  if (isRun(outcome)) return outcome;
  throw new Error(JSON.stringify(outcome));
}

/** Ended, or at most a zombie. */
export function isGone(pid: number): boolean {
  const stat = readStat(pid);
  return stat === undefined || isDead(stat);
}

/** `eventually` with what was awaited in front. */
export function until<T>(message: string, check: () => T, timeoutMs = 30_000): Promise<NonNullable<T>> {
  return eventually(check, { message, timeoutMs });
}

const CONTRACTS = 'node_modules/@muster/contracts';
const PACKAGE = fileURLToPath(new URL('../..', import.meta.url));

/** Compiles the fixture that is killed, once per test file: it runs without a test runner around it. */
export function buildDriverHost(folder: string): string {
  compileFixture('driver-host', folder);
  return join(folder, 'test/drivers/fixtures/driver-host.js');
}

let writer: string | undefined;

/** The output writer as a program, compiled once per test file. */
export function outputWriter(): string {
  if (writer !== undefined) return writer;
  const folder = mkdtempSync(join(tmpdir(), 'muster-writer-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  compileFixture('output-writer', folder);
  writer = join(folder, 'test/drivers/fixtures/output-writer.js');
  return writer;
}

function compileFixture(name: string, folder: string): void {
  compile(PACKAGE, [`test/drivers/fixtures/${name}.ts`], folder, {});
  // What they need of another package.
  const contracts = join(folder, CONTRACTS);
  compile(join(PACKAGE, '../contracts/src'), ['files/index.ts', 'message-of.ts'], contracts, {
    exports: { '.': './message-of.js', './files': './files/index.js', './process': './process.js' },
  });
  copyFileSync(join(PACKAGE, '../contracts/src/plain/process.js'), join(contracts, 'process.js'));
}

function compile(rootDir: string, files: readonly string[], outDir: string, manifest: object): void {
  const compiler = fileURLToPath(new URL('../../../../node_modules/typescript/bin/tsc', import.meta.url));
  // Its types are checked with all the others, and need what is built.
  const options =
    '--module nodenext --target es2023 --types node --lib es2023,esnext.disposable ' +
    '--rewriteRelativeImportExtensions --noCheck --ignoreConfig';
  mkdirSync(outDir, { recursive: true });
  writeFileSync(join(outDir, 'package.json'), JSON.stringify({ type: 'module', ...manifest }));
  const inputs = files.map((file) => join(rootDir, file));
  const argv = [compiler, ...options.split(' '), '--outDir', outDir, '--rootDir', rootDir, ...inputs];
  execFileSync(process.execPath, argv, { cwd: rootDir });
}

export interface HostMessage {
  readonly step: string;
  readonly generation?: number;
  readonly pid?: number;
  readonly pids?: readonly number[];
  readonly startedAtMs?: number;
}

/** A stand-in for the agent, in its own process. */
export class Host {
  readonly messages: HostMessage[] = [];
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;

  /** `prefix`: a command line in front of its own, which becomes it. */
  constructor(program: string, bench: Bench, spec: RunSpec, prefix: readonly string[] = []) {
    const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;
    const line = [...prefix, process.execPath, program, bench.folder, JSON.stringify(spec), outputWriter()];
    const [command = '', ...argv] = line;
    this.#child = spawn(command, argv, { stdio: ['ignore', 'ignore', 'ignore', 'ipc'], env });
    this.#child.on('message', (message: HostMessage) => this.messages.push(message));
    this.#exited = new Promise((resolve) => this.#child.once('exit', () => resolve()));
  }

  /** The first message of this step. */
  step(step: string): Promise<HostMessage> {
    return until(`host: ${step} (so far: ${JSON.stringify(this.messages)})`, () =>
      this.messages.find((message) => message.step === step),
    );
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  async detach(): Promise<void> {
    this.#child.send('detach');
    await this.#exited;
  }
}

function isRun(outcome: { readonly kind: string }): outcome is Run {
  return outcome.kind === 'run';
}

/** The output writer's is the runtime folder. */
function folderOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return '';
  }
}

function environOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1');
  } catch {
    return '';
  }
}
