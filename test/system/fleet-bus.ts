import path from 'node:path';
import { setupBus } from '@muster/contracts/admin';
import { type Bus, openBus } from '@muster/contracts/bus';
import { credentialsFile } from '@muster/contracts/files';
import { type Identity, mintKeys, natsServerConfig } from '@muster/contracts/keys';
import {
  type FixtureProcess,
  type NatsServer,
  startNatsServer,
  startNodeFixture,
  type TemporaryDirectory,
  temporaryDirectory,
} from '@muster/testkit';
import { ROOT_DIR } from './support.ts';

const ENVIRONMENT = 'test';
const PROBER = { role: 'prober', id: 'main' } as const;
const OPERATOR = { role: 'operator', id: 'cli' } as const;
const ADMIN = { role: 'admin', id: 'setup' } as const;

/** A bus that is nobody's service, with keys for the agents of many hosts, and perhaps a prober. */
export class FleetBus implements AsyncDisposable {
  readonly server: NatsServer;
  readonly #home: TemporaryDirectory;
  #prober: FixtureProcess | undefined;

  static async start(hosts: readonly string[]): Promise<FleetBus> {
    const home = await temporaryDirectory();
    const agents = hosts.map((id): Identity => ({ role: 'agent', id }));
    const identities = [ADMIN, PROBER, OPERATOR, ...agents];
    const { trust } = await mintKeys({ directory: home.path, environment: ENVIRONMENT, identities });
    const storeDir = path.join(home.path, 'jetstream');
    const config = natsServerConfig({ environment: ENVIRONMENT, host: '127.0.0.1', port: 4222, storeDir, trust });
    const server = await startNatsServer({ config, storeDir });
    const bus = new FleetBus(server, home);
    await using admin = bus.open(ADMIN);
    await admin.connected(AbortSignal.timeout(60_000));
    await setupBus(admin);
    return bus;
  }

  private constructor(server: NatsServer, home: TemporaryDirectory) {
    this.server = server;
    this.#home = home;
  }

  /** For `MusterSystemOptions.bus`; `port`: of something between the agent and the bus. */
  of(host: string, port = this.server.port): { readonly url: string; readonly credentialsFile: string } {
    const credentials = credentialsFile(this.#home.path, { role: 'agent', id: host });
    return { url: `nats://127.0.0.1:${port}`, credentialsFile: credentials };
  }

  open(identity: Identity) {
    return openBus({
      servers: this.server.url,
      credentialsFile: credentialsFile(this.#home.path, identity),
      environment: ENVIRONMENT,
      ...identity,
    });
  }

  async operator(): Promise<Bus> {
    const bus = this.open(OPERATOR);
    await bus.connected(AbortSignal.timeout(60_000));
    return bus;
  }

  /** For `muster` as the operator of this bus. */
  get operatorFlags(): readonly string[] {
    return ['--url', this.server.url, '--creds', credentialsFile(this.#home.path, OPERATOR), '--env', ENVIRONMENT];
  }

  /** Returns once it judges. */
  async startProber(): Promise<void> {
    this.#prober = await startNodeFixture(path.join(ROOT_DIR, 'packages/health-prober/bundle/main.js'), [], {
      cwd: ROOT_DIR,
      env: {
        MUSTER_BUS_URL: this.server.url,
        MUSTER_BUS_CREDENTIALS: credentialsFile(this.#home.path, PROBER),
        MUSTER_ENVIRONMENT: ENVIRONMENT,
        MUSTER_STATE_DIR: path.join(this.#home.path, 'state'),
        MUSTER_CONFIG_DIR: path.join(this.#home.path, 'config'),
        MUSTER_RUN: '',
      },
    });
    await this.#prober.line('leading: judges from now on', 60_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#prober?.kill();
    await this.server[Symbol.asyncDispose]();
    await this.#home[Symbol.asyncDispose]();
  }
}
