/**
 * Muster as a user has it: keys made by the CLI, a real nats-server with permissions, the agent's own program. Everything
 * lies in a place of its own, and is gone with it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type AgentReply, commands, type InstanceStatus } from '@muster/contracts';
import { type Bus, openBus, uuidv7 } from '@muster/contracts/bus';
import { findNatsServer, freePort, type NatsServer, startNatsServer } from '@muster/testkit';
import type { FirstLines } from './first-lines.ts';
import { Home } from './home.ts';
import { bareEnvironment } from './processes.ts';
import { run } from './run.ts';
import { waitUntil, within } from './wait-until.ts';

export interface MusterOptions {
  readonly rootDir: string;
  readonly services: number;
  /** Further keys of each service in services.yaml; restarts are immediate and unbounded unless this says otherwise. */
  readonly serviceKeys?: Readonly<Record<string, unknown>>;
  /**
   * `agent`: the agent alone, on a bus that runs already, as on most hosts of a fleet. `whole`: the agent also runs
   * nats-server, prober and dashboard, as `npm start` does.
   */
  readonly parts: 'agent' | 'whole';
  /** What the services do once they have spoken, in sh; default: sleep. */
  readonly serviceBody?: string;
  readonly signal: AbortSignal;
}

const HOST = 'bench';
/** Crash after crash is what is measured, so no budget may end it. PM2 gets the same. */
const ENDLESS_RESTARTS = { restart_delay: 0, max_restarts: 10_000 };
const REQUEST_TIMEOUT_MS = 10_000;

export class Muster implements AsyncDisposable {
  readonly host = HOST;
  readonly names: readonly string[];
  readonly dashboardUrl: string;
  readonly #home: Home;
  readonly #options: MusterOptions;
  readonly #busPort: number;
  readonly #natsProgram: string;
  #server: NatsServer | undefined;
  #bus: Bus | undefined;
  #agent: ChildProcess | undefined;

  private constructor(options: MusterOptions, ports: { bus: number; dashboard: number }, natsProgram: string) {
    this.#options = options;
    this.#home = new Home('ours', options.serviceBody);
    this.#busPort = ports.bus;
    this.#natsProgram = natsProgram;
    this.names = Array.from({ length: options.services }, (_, index) => `ours-${index}`);
    this.dashboardUrl = `http://127.0.0.1:${ports.dashboard}`;
    this.#writeConfig(ports.dashboard);
  }

  /** Keys, and with `agent` a bus that is ready; no agent yet. */
  static async prepare(options: MusterOptions): Promise<Muster> {
    const ports = { bus: await freePort(), dashboard: await freePort() };
    const muster = new Muster(options, ports, await findNatsServer());
    try {
      await muster.#prepareBus();
    } catch (error) {
      await muster[Symbol.asyncDispose]();
      throw error;
    }
    return muster;
  }

  /** All services running, and the agent known to the bus. */
  static async start(options: MusterOptions): Promise<Muster> {
    const muster = await Muster.prepare(options);
    try {
      await muster.startAll();
    } catch (error) {
      await muster[Symbol.asyncDispose]();
      throw error;
    }
    return muster;
  }

  get lines(): FirstLines {
    return this.#home.lines;
  }

  get agentPid(): number {
    const pid = this.#agent?.pid;
    if (pid === undefined) throw new Error('the agent does not run');
    return pid;
  }

  /** The bus, unless the agent runs it. */
  get server(): NatsServer {
    if (this.#server === undefined) throw new Error('the agent runs the bus itself');
    return this.#server;
  }

  /** Where the agent puts what the services print. */
  get logDir(): string {
    return path.join(this.#stateDir, 'logs');
  }

  /** Part of the command line or environment of everything that this Muster has started. */
  get mark(): string {
    return path.basename(this.#home.path);
  }

  get keysDir(): string {
    return path.join(this.#stateDir, 'keys');
  }

  /** An operator's, connected once there is a server. */
  get bus(): Bus {
    this.#bus ??= openBus({
      servers: `nats://127.0.0.1:${this.#busPort}`,
      credentialsFile: path.join(this.keysDir, 'operator-cli.creds'),
      environment: 'development',
      role: 'operator',
      id: 'cli',
      name: 'bench',
    });
    return this.#bus;
  }

  /** Executes the agent's program, and returns at once. */
  startAgent(): void {
    const { rootDir } = this.#options;
    const log = openSync(path.join(this.#home.path, 'agent.log'), 'a');
    // A session of its own: Ctrl-C reaches the benchmark only, which then stops everything in order.
    const agent = spawn(process.execPath, [path.join(rootDir, 'packages/supervisor-agent/bundle/main.js')], {
      cwd: this.#home.path,
      env: this.#environment(),
      detached: true,
      stdio: ['ignore', log, log, 'ipc'],
    });
    closeSync(log);
    this.#agent = agent;
  }

  /** From the agent's exec until all services have spoken and the agent says over the bus that all run, in ms. */
  async startAll(): Promise<number> {
    const { signal } = this.#options;
    const startedAtMs = performance.now();
    const spoken = this.lines.nextOfAll(this.names, signal);
    this.startAgent();
    await within(Promise.race([spoken, this.#agentEnded()]), { what: 'the start of all services', signal });
    await this.allRunning();
    return performance.now() - startedAtMs;
  }

  async killAgent(): Promise<void> {
    const agent = this.#agent;
    if (agent === undefined) return;
    agent.kill('SIGKILL');
    if (agent.exitCode === null && agent.signalCode === null) await once(agent, 'exit');
  }

  /** Everything stops in order; the agent ends last. */
  async shutDown(): Promise<void> {
    const agent = this.#agent;
    if (agent === undefined || agent.exitCode !== null || agent.signalCode !== null) return;
    const ended = once(agent, 'exit');
    agent.send({ type: 'shutdown' });
    await within(ended, { what: "the agent's orderly end", signal: this.#options.signal });
  }

  /** What the agent says of its instances; `undefined` while it does not answer. */
  async status(): Promise<AgentReply<'status'> | undefined> {
    try {
      return await this.bus.request(
        commands.status,
        { host: HOST },
        { ...envelope(), actor: 'bench' },
        { timeoutMs: REQUEST_TIMEOUT_MS },
      );
    } catch (error) {
      // Not there yet: asked again.
      if (error instanceof Error && /NoResponder|BusAway/.test(error.name)) return undefined;
      throw error;
    }
  }

  allRunning(): Promise<readonly InstanceStatus[]> {
    return this.allInState('running');
  }

  /** Waits until the agent answers that all its services are in that state. */
  allInState(state: InstanceStatus['state']): Promise<readonly InstanceStatus[]> {
    return waitUntil(
      async () => {
        const reply = await this.status();
        const there = reply?.instances.filter((one) => this.names.includes(one.service) && one.state === state);
        return there?.length === this.names.length ? there : undefined;
      },
      { what: `all services ${state}`, signal: this.#options.signal, pollMs: 2 },
    );
  }

  /** Asks for the same of all services at once. @throws Error with the reason of the first refusal. */
  async commandAll(verb: 'start' | 'stop'): Promise<void> {
    const position = await this.status();
    if (position === undefined) throw new Error('the agent does not answer');
    const fresh = { epoch: position.epoch, seq: position.seq };
    const replies = await Promise.all(
      this.names.map((service) =>
        this.bus.request(
          commands[verb],
          { host: HOST },
          { ...envelope(), actor: 'bench', fresh, service },
          { timeoutMs: REQUEST_TIMEOUT_MS },
        ),
      ),
    );
    const refusal = replies.find(({ accepted }) => !accepted);
    if (refusal !== undefined) throw new Error(`the agent refused to ${verb}: ${refusal.reason}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.shutDown();
    } catch {
      // Whatever is left is killed below.
    }
    await this.#bus?.[Symbol.asyncDispose]();
    await this.#server?.[Symbol.asyncDispose]();
    await this.#home[Symbol.asyncDispose]();
  }

  get #stateDir(): string {
    return path.join(this.#home.path, 'state');
  }

  get #configDir(): string {
    return path.join(this.#home.path, 'config');
  }

  #environment(): Record<string, string> {
    const isWhole = this.#options.parts === 'whole';
    return {
      ...bareEnvironment(),
      XDG_RUNTIME_DIR: this.#home.runtimePath,
      MUSTER_STATE_DIR: this.#stateDir,
      MUSTER_CONFIG_DIR: this.#configDir,
      MUSTER_HOST: HOST,
      ...(isWhole && { MUSTER_EMBEDDED: '1', MUSTER_NATS_SERVER: this.#natsProgram }),
    };
  }

  #writeConfig(dashboardPort: number): void {
    const listen = `127.0.0.1:${this.#busPort}`;
    const creds = path.join(this.keysDir, `agent-${HOST}.creds`);
    const url = { url: `nats://${listen}`, creds };
    const services = this.names.map((name) => ({
      name,
      command: this.lines.command(name),
      ...ENDLESS_RESTARTS,
      ...this.#options.serviceKeys,
    }));
    const files = {
      'agent.yaml': { bus: this.#options.parts === 'whole' ? { listen } : { listen, ...url } },
      'dashboard.yaml': { listen: `127.0.0.1:${dashboardPort}` },
      'services.yaml': { services },
    };
    mkdirSync(this.#configDir, { recursive: true });
    mkdirSync(this.#stateDir, { recursive: true });
    // JSON is YAML.
    for (const [name, content] of Object.entries(files)) {
      writeFileSync(path.join(this.#configDir, name), JSON.stringify(content));
    }
  }

  async #prepareBus(): Promise<void> {
    await this.muster('bus', 'keys');
    if (this.#options.parts === 'whole') return;
    const config = readFileSync(path.join(this.#stateDir, 'nats', 'nats.conf'), 'utf8');
    this.#server = await startNatsServer({ config, port: this.#busPort });
    await this.muster('bus', 'setup');
    await this.bus.connected(AbortSignal.any([this.#options.signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]));
  }

  /** `muster …` against this bus. */
  async muster(...args: readonly string[]): Promise<void> {
    const { rootDir, signal } = this.#options;
    const program = path.join(rootDir, 'packages/cli/bundle/main.js');
    await run(process.execPath, [program, ...args], { cwd: this.#home.path, env: this.#environment(), signal });
  }

  /** The same, for what runs until it is stopped. */
  startProgram(...args: readonly string[]): AsyncDisposable & { hasEnded(): boolean } {
    const program = path.join(this.#options.rootDir, 'packages/cli/bundle/main.js');
    const env = { ...this.#environment(), MUSTER_BUS_CREDENTIALS: path.join(this.keysDir, 'admin-setup.creds') };
    const log = openSync(path.join(this.#home.path, 'program.log'), 'a');
    const child = spawn(process.execPath, [program, ...args], {
      cwd: this.#home.path,
      env,
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
    return {
      hasEnded,
      async [Symbol.asyncDispose]() {
        child.kill('SIGTERM');
        if (!hasEnded()) await once(child, 'exit');
      },
    };
  }

  async #agentEnded(): Promise<never> {
    const agent = this.#agent;
    if (agent !== undefined) await once(agent, 'exit');
    const log = readFileSync(path.join(this.#home.path, 'agent.log'), 'utf8').trim().split('\n').slice(-5).join('\n');
    throw new Error(`the agent ended at its start: ${log}`);
  }
}

function envelope(): { id: string; time: string; source: string } {
  return { id: uuidv7(), time: new Date().toISOString(), source: 'operator/cli' };
}
