import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { eventually } from './eventually.ts';
import { fixtureEnvironment } from './fixture-process.ts';
import { freePort } from './free-port.ts';
import { findNatsServer } from './nats-server.ts';
import { killTagged, type TaggedProcess, taggedProcesses } from './tagged-processes.ts';
import { type TemporaryDirectory, temporaryDirectory } from './temporary-directory.ts';
import type { TestHost } from './test-network.ts';

export interface MusterSystemOptions {
  /** Text of services.yaml. */
  readonly services?: string;
  /** Also runs the bus, the prober and the dashboard (default). Without it the agent has no bus unless `busUrl` is given. */
  readonly isEmbedded?: boolean;
  /** A bus that the test runs itself. */
  readonly bus?: { readonly url: string; readonly credentialsFile: string };
  /** Where the embedded bus listens; default 127.0.0.1. On others it speaks TLS. */
  readonly listenHost?: string;
  /** What `muster host add` printed on another system, whose bus this one joins. */
  readonly joinLine?: string;
  readonly host?: string;
  /** Where the agent keeps what it knows; default: a temporary directory. */
  readonly stateDir?: string;
  /** Agent, services and commands run there; default: in the test's own network. */
  readonly network?: Pick<TestHost, 'command'>;
  readonly environment?: string;
  /** Further variables for the agent. */
  readonly env?: Readonly<Record<string, string>>;
}

/** What the agent's status file says of one instance, as far as tests look at it. */
export interface InstanceFacts {
  readonly service: string;
  readonly state: string;
  readonly ready: string;
  readonly reason: string;
  readonly generation: number;
  readonly pid?: number;
  readonly restarts: number;
  readonly exit?: { readonly code: number | null; readonly signal: string | null; readonly known: boolean };
}

/** The clone: dist or src of this package are three folders below it. */
const ROOT_DIR = path.resolve(import.meta.dirname, '../../..');
const START_TIMEOUT_MS = 90_000;

/** Starts one agent with everything of its own: directories, ports, credentials. Needs a built clone. */
export async function startMusterSystem(options: MusterSystemOptions = {}): Promise<MusterSystem> {
  const home = await temporaryDirectory();
  const system = new MusterSystem(home, options, await freePort(), await freePort());
  try {
    await system.prepare();
    await system.startAgent();
  } catch (error) {
    await system[Symbol.asyncDispose]();
    throw error;
  }
  return system;
}

/** A real agent and what it runs, in directories of their own. Disposing kills all of it, whatever state it is in. */
export class MusterSystem implements AsyncDisposable {
  readonly #home: TemporaryDirectory;
  readonly #options: MusterSystemOptions;
  readonly #busPort: number;
  readonly #dashboardPort: number;
  #agent: ChildProcess | undefined;
  /** Settles when it has ended and all that it printed is in the output. */
  #agentFinished: Promise<unknown> = Promise.resolve();
  #output = '';

  constructor(home: TemporaryDirectory, options: MusterSystemOptions, busPort: number, dashboardPort: number) {
    this.#home = home;
    this.#options = options;
    this.#busPort = busPort;
    this.#dashboardPort = dashboardPort;
  }

  get host(): string {
    return this.#options.host ?? 'web1';
  }

  get environment(): string {
    return this.#options.environment ?? 'test';
  }

  get stateDir(): string {
    return this.#options.stateDir ?? path.join(this.#home.path, 'state');
  }

  get configDir(): string {
    return path.join(this.#home.path, 'config');
  }

  /** As its own machine reaches it. */
  get busUrl(): string {
    const scheme = this.#options.listenHost === undefined ? 'nats' : 'tls';
    return this.#options.bus?.url ?? `${scheme}://127.0.0.1:${this.#busPort}`;
  }

  get dashboardUrl(): string {
    return `http://127.0.0.1:${this.#dashboardPort}`;
  }

  /** @throws Error when no agent runs. */
  get agentPid(): number {
    if (this.#agent?.pid === undefined) throw new Error('no agent runs');
    return this.#agent.pid;
  }

  /** Everything the agents printed. */
  get output(): string {
    return this.#output;
  }

  /** The environment of the programs of this system, for the CLI as well. */
  get env(): NodeJS.ProcessEnv {
    return {
      ...fixtureEnvironment(),
      MUSTER_STATE_DIR: this.stateDir,
      MUSTER_CONFIG_DIR: this.configDir,
      MUSTER_ENVIRONMENT: this.environment,
      MUSTER_HOST: this.host,
      XDG_RUNTIME_DIR: path.join(this.#home.path, 'run'),
      ...this.#options.env,
    };
  }

  /** Path of one identity's credentials, such as `operator-cli`. */
  credentials(identity: string): string {
    return path.join(this.stateDir, 'keys', `${identity}.creds`);
  }

  async writeServices(text: string): Promise<void> {
    await writeFile(path.join(this.configDir, 'services.yaml'), text);
  }

  /** Directories, configuration and keys. @throws Error when the programs are not built, or not from the sources as they are */
  async prepare(): Promise<void> {
    await expectFreshBundles();
    for (const directory of [this.stateDir, this.configDir, path.join(this.#home.path, 'run')]) {
      await mkdir(directory, { recursive: true, mode: 0o700 });
    }
    const { bus, listenHost = '127.0.0.1', joinLine } = this.#options;
    const external = bus === undefined ? '' : `  url: ${bus.url}\n  creds: ${bus.credentialsFile}\n`;
    await writeFile(
      path.join(this.configDir, 'agent.yaml'),
      `host: ${this.host}\nenvironment: ${this.environment}\nbus:\n  listen: ${listenHost}:${this.#busPort}\n${external}`,
    );
    await writeFile(path.join(this.configDir, 'dashboard.yaml'), `listen: 127.0.0.1:${this.#dashboardPort}\n`);
    await this.writeServices(this.#options.services ?? 'services: []\n');
    if (joinLine !== undefined) await this.join(joinLine);
    else if (bus === undefined) await this.#mustSucceed('bus', 'keys');
  }

  /** Starts the agent; the one before must be dead. Does not wait for its services. */
  async startAgent(): Promise<void> {
    const isEmbedded = this.#options.isEmbedded ?? true;
    const natsServer = await findNatsServer();
    const [command, ...args] = this.#program('supervisor-agent');
    const agent = spawn(command, args, {
      cwd: ROOT_DIR,
      env: { ...this.env, MUSTER_EMBEDDED: isEmbedded ? '1' : '0', MUSTER_NATS_SERVER: natsServer },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#agent = agent;
    for (const stream of [agent.stdout, agent.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#output = (this.#output + chunk.toString()).slice(-1_000_000);
      });
    }
    this.#agentFinished = new Promise<void>((resolve) => agent.once('close', () => resolve()));
    agent.on('error', () => {});
    await once(agent, 'spawn');
  }

  /** `kill -9` by default. Settles when it is dead. */
  async killAgent(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const agent = this.#agent;
    if (agent === undefined || agent.exitCode !== null || agent.signalCode !== null) return;
    const exited = once(agent, 'exit');
    agent.kill(signal);
    await exited;
  }

  /** The orderly stop that the launcher asks for. Resolves with the agent's exit code. */
  async shutDown(): Promise<number | null> {
    const agent = this.#agent;
    if (agent === undefined) throw new Error('no agent runs');
    const exited = once(agent, 'exit') as Promise<[number | null]>;
    agent.send({ type: 'shutdown' });
    const [code] = await exited;
    return code;
  }

  /** The agent's exit, for an agent that is expected to end by itself, once its last word has been read. */
  async agentExit(): Promise<number | null> {
    const agent = this.#agent;
    if (agent === undefined) throw new Error('no agent runs');
    await this.#agentFinished;
    return agent.exitCode;
  }

  async #mustSucceed(...args: readonly string[]): Promise<void> {
    const { code, stdout, stderr } = await this.cli(...args);
    if (code !== 0) throw new Error(`muster ${args.join(' ')} ended with ${code}: ${stdout}${stderr}`);
  }

  /** Joins the bus of another system, with what `muster host add` printed there. @throws Error when that is refused */
  async join(line: string): Promise<void> {
    const { code, stdout, stderr } = await this.#runCli(['join'], line);
    if (code !== 0) throw new Error(`muster join ended with ${code}: ${stdout}${stderr}`);
  }

  /** Runs `muster …` against this system. */
  cli(...args: readonly string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
    return this.#runCli(args);
  }

  async #runCli(
    args: readonly string[],
    input?: string,
  ): Promise<{ code: number | null; stdout: string; stderr: string }> {
    const [command, ...line] = this.#program('cli', ...args);
    const child = spawn(command, line, {
      cwd: ROOT_DIR,
      env: this.env,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    child.stdin.end(input);
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, stdout, stderr };
  }

  #program(name: string, ...args: readonly string[]): readonly [string, ...string[]] {
    const line = [process.execPath, path.join(ROOT_DIR, 'packages', name, 'bundle/main.js'), ...args] as const;
    return this.#options.network?.command(...line) ?? line;
  }

  /** What the agent wrote of its instances; empty before its first word. */
  async instances(): Promise<readonly InstanceFacts[]> {
    try {
      const file = JSON.parse(await readFile(path.join(this.stateDir, 'status.json'), 'utf8')) as {
        instances: readonly InstanceFacts[];
      };
      return file.instances;
    } catch {
      return [];
    }
  }

  /** Waits until the status file says so of one service. */
  async waitFor(
    service: string,
    is: (facts: InstanceFacts) => boolean,
    message = 'the state',
    timeoutMs = START_TIMEOUT_MS,
  ): Promise<InstanceFacts> {
    let last: InstanceFacts | undefined;
    try {
      return await eventually(
        async () => {
          last = (await this.instances()).find((facts) => facts.service === service);
          return last !== undefined && is(last) ? last : undefined;
        },
        { timeoutMs, message: `${message} of ${service}` },
      );
    } catch (error) {
      throw new Error(`${String(error)}\nlast: ${JSON.stringify(last)}\nagent: ${this.#output.slice(-4_000)}`, {
        cause: error,
      });
    }
  }

  waitUntilReady(service: string): Promise<InstanceFacts> {
    return this.waitFor(service, ({ state, ready }) => state === 'running' && ready === 'yes', 'running and ready');
  }

  /** Bus, prober and dashboard serve. */
  async waitUntilUp(): Promise<void> {
    for (const service of ['nats-server', 'health-prober', 'dashboard']) await this.waitUntilReady(service);
  }

  /** Every live process that an agent of this system started, by its tag: service and generation included. */
  tagged(): Promise<readonly TaggedProcess[]> {
    return taggedProcesses(this.stateDir);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.killAgent();
    await killTagged(this.stateDir);
    await this.#home[Symbol.asyncDispose]();
  }
}

/** Tests of an old build prove nothing: a bundle must be younger than all the sources it is made from. */
async function expectFreshBundles(): Promise<void> {
  for (const program of ['supervisor-agent', 'health-prober', 'dashboard', 'cli']) {
    const bundle = path.join(ROOT_DIR, 'packages', program, 'bundle/main.js');
    const builtAtMs = await changedAtMs(bundle).catch(() => 0);
    const folders = [program === 'dashboard' ? 'dashboard/server' : `${program}/src`, 'contracts/src', 'probes/src'];
    const sources = await Promise.all(folders.map((folder) => newestSourceMs(path.join(ROOT_DIR, 'packages', folder))));
    if (builtAtMs >= Math.max(...sources)) continue;
    throw new Error(`${bundle} is older than its sources: run npm run build -- --force`);
  }
}

async function newestSourceMs(folder: string): Promise<number> {
  const names = (await readdir(folder, { recursive: true })).filter((name) => /(?<!\.test)\.ts$/.test(name));
  return Math.max(...(await Promise.all(names.map((name) => changedAtMs(path.join(folder, name))))));
}

async function changedAtMs(file: string): Promise<number> {
  return (await stat(file)).mtimeMs;
}
