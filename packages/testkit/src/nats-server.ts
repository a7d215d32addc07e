import { type ChildProcess, spawn } from 'node:child_process';
import { access, constants, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from './free-port.ts';
import { type TemporaryDirectory, temporaryDirectory } from './temporary-directory.ts';
import type { TestHost } from './test-network.ts';

const START_TIMEOUT_MS = 30_000;
const LOG_LIMIT_CHARS = 1024 * 1024;

export interface NatsServerOptions {
  /** Text of a nats-server configuration. The port is set beside it, and so is the store unless it names a `store_dir`. */
  readonly config?: string;
  /** With JetStream, on a store of its own; default true. */
  readonly jetstream?: boolean;
  /** Where JetStream keeps its data; default: a temporary directory that goes with the server. */
  readonly storeDir?: string;
  /** Default: a free one, which nobody else is given while the server is down. */
  readonly port?: number;
  /** Runs and listens there; default: on loopback of the test's own network. */
  readonly host?: Pick<TestHost, 'address' | 'command'>;
}

/** Starts a nats-server and waits until it accepts connections. @throws Error that says what to install when there is none. */
export async function startNatsServer(options: NatsServerOptions = {}): Promise<NatsServer> {
  const binary = await findNatsServer();
  const home = await temporaryDirectory();
  const server = new NatsServer(binary, home, { ...options, port: options.port ?? (await freePort()) });
  try {
    await server.start();
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  return server;
}

/** The binary: `NATS_SERVER` of the environment, else the first on PATH, else Debian's. */
export async function findNatsServer(): Promise<string> {
  const named = process.env['NATS_SERVER'];
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  const candidates = named
    ? [named]
    : folders.filter((folder) => folder !== '').map((folder) => join(folder, 'nats-server'));
  for (const candidate of candidates) {
    const isExecutable = await access(candidate, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isExecutable) return candidate;
  }
  throw new Error(
    named
      ? `cannot start nats-server: NATS_SERVER names '${named}', which is not an executable file`
      : "cannot start nats-server: there is none on PATH: install it with 'apt-get install nats-server', or name it in NATS_SERVER",
  );
}

/** A real nats-server, on loopback unless it has a host. It keeps its port over restarts. Disposing stops it and removes its data. */
export class NatsServer implements AsyncDisposable {
  readonly storeDir: string;
  readonly port: number;
  readonly #binary: string;
  readonly #home: TemporaryDirectory;
  readonly #jetstream: boolean;
  readonly #host: NatsServerOptions['host'];
  #config: string;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #log = '';

  constructor(binary: string, home: TemporaryDirectory, options: NatsServerOptions & { readonly port: number }) {
    this.#binary = binary;
    this.#home = home;
    this.#jetstream = options.jetstream ?? true;
    this.#host = options.host;
    this.#config = options.config ?? '';
    this.port = options.port;
    this.storeDir = options.storeDir ?? join(home.path, 'jetstream');
  }

  /** `nats://<address>:<port>`. */
  get url(): string {
    return `nats://${this.#address}:${this.port}`;
  }

  get #address(): string {
    return this.#host?.address ?? '127.0.0.1';
  }

  /** Of the current run. */
  get pid(): number {
    return this.#child?.pid ?? -1;
  }

  /** What it printed, of all its runs, at most the last million characters. */
  log(): string {
    return this.#log;
  }

  async start(): Promise<void> {
    const configFile = join(this.#home.path, 'nats.conf');
    const portsDir = join(this.#home.path, 'ports');
    await mkdir(portsDir, { recursive: true });
    await writeFile(configFile, this.#config);
    const listen = ['--addr', this.#address, '--port', String(this.port), '--ports_file_dir', portsDir];
    const store =
      this.#jetstream && !this.#config.includes('store_dir') ? ['--jetstream', '--store_dir', this.storeDir] : [];
    const line = [this.#binary, '--config', configFile, ...listen, ...store] as const;
    const [command, ...args] = this.#host?.command(...line) ?? line;
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child = child;
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#log = (this.#log + text).slice(-LOG_LIMIT_CHARS);
    });
    this.#exited = new Promise((resolve) => {
      child.once('error', () => resolve());
      child.once('exit', () => resolve());
    });
    const waiting = new AbortController();
    try {
      await Promise.race([this.#listening(portsDir, waiting.signal), this.#ended()]);
    } finally {
      waiting.abort();
    }
  }

  /** Settles with the ports file, which the server writes once it accepts connections. */
  async #listening(portsDir: string, signal: AbortSignal): Promise<void> {
    const file = join(portsDir, `nats-server_${this.pid}.ports`);
    const deadlineMs = performance.now() + START_TIMEOUT_MS;
    while (performance.now() < deadlineMs && !signal.aborted) {
      if (isWhole(await readFile(file, 'utf8').catch(() => ''))) return;
      await delay(5);
    }
    throw new Error(`cannot start nats-server: it does not listen after ${START_TIMEOUT_MS} ms: ${this.#log}`);
  }

  async #ended(): Promise<never> {
    await this.#exited;
    throw new Error(`cannot start nats-server '${this.#binary}': it ended at once: ${this.#log}`);
  }

  /** Sends the signal and, unless it only pauses or resumes, waits for the end. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.#child?.kill(signal);
    if (signal !== 'SIGSTOP' && signal !== 'SIGCONT' && signal !== 'SIGHUP') await this.#exited;
  }

  /** Starts it again, after SIGKILL if it still runs; `wipe` deletes the JetStream store in between. */
  async restart({ wipe = false, config }: { wipe?: boolean; config?: string } = {}): Promise<void> {
    await this.kill();
    if (wipe) await rm(this.storeDir, { recursive: true, force: true });
    if (config !== undefined) this.#config = config;
    await this.start();
  }

  async stop(): Promise<void> {
    // A stopped (SIGSTOP) process would never see the TERM.
    this.#child?.kill('SIGCONT');
    await this.kill('SIGTERM');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await this.#home[Symbol.asyncDispose]();
  }
}

function isWhole(portsFile: string): boolean {
  try {
    JSON.parse(portsFile);
    return true;
  } catch {
    // Not there yet, or half written.
    return false;
  }
}
