import path from 'node:path';
import type { Bus, NatsBus } from '@muster/contracts/bus';
import type { Identity } from '@muster/contracts/keys';
import { TestBus } from '@muster/contracts/testing';
import { type FixtureProcess, type NatsServer, startNodeFixture } from '@muster/testkit';
import { ROOT_DIR } from './support.ts';

const ENVIRONMENT = 'test';
const PROBER = { role: 'prober', id: 'main' } as const;
const OPERATOR = { role: 'operator', id: 'cli' } as const;

/** A bus that is nobody's service, with keys for the agents of many hosts, and perhaps a prober. */
export class FleetBus implements AsyncDisposable {
  readonly #bus: TestBus;
  #prober: FixtureProcess | undefined;

  static async start(hosts: readonly string[]): Promise<FleetBus> {
    const agents = hosts.map((id): Identity => ({ role: 'agent', id }));
    return new FleetBus(await TestBus.start([PROBER, OPERATOR, ...agents]));
  }

  private constructor(bus: TestBus) {
    this.#bus = bus;
  }

  get server(): NatsServer {
    return this.#bus.server;
  }

  /** For `MusterSystemOptions.bus`; `port`: of something between the agent and the bus. */
  of(host: string, port = this.server.port): { readonly url: string; readonly credentialsFile: string } {
    const credentials = this.#bus.credentials({ role: 'agent', id: host });
    return { url: `nats://127.0.0.1:${port}`, credentialsFile: credentials };
  }

  open(identity: Identity): NatsBus {
    return this.#bus.open(identity);
  }

  operator(): Promise<Bus> {
    return this.#bus.connect(OPERATOR);
  }

  /** For `muster` as the operator of this bus. */
  get operatorFlags(): readonly string[] {
    return ['--url', this.server.url, '--creds', this.#bus.credentials(OPERATOR), '--env', ENVIRONMENT];
  }

  /** Returns once it judges. */
  async startProber(): Promise<void> {
    this.#prober = await startNodeFixture(path.join(ROOT_DIR, 'packages/health-prober/bundle/main.js'), [], {
      cwd: ROOT_DIR,
      env: {
        MUSTER_BUS_URL: this.server.url,
        MUSTER_BUS_CREDENTIALS: this.#bus.credentials(PROBER),
        MUSTER_ENVIRONMENT: ENVIRONMENT,
        MUSTER_STATE_DIR: path.join(this.#bus.stateDir, 'state'),
        MUSTER_CONFIG_DIR: path.join(this.#bus.stateDir, 'config'),
        MUSTER_RUN: '',
      },
    });
    await this.#prober.line('leading: judges from now on', 60_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#prober?.kill();
    await this.#bus[Symbol.asyncDispose]();
  }
}
