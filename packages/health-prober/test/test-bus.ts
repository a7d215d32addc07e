import { join } from 'node:path';
import { type AlertData, type AlertEvent, type Role, rows, type Verdict } from '@muster/contracts';
import { setupBus } from '@muster/contracts/admin';
import { type Bus, openBus } from '@muster/contracts/bus';
import { credentialsFile } from '@muster/contracts/files';
import { mintKeys, natsServerConfig } from '@muster/contracts/keys';
import { type NatsServer, startNatsServer, type TemporaryDirectory, temporaryDirectory } from '@muster/testkit';

export const ENVIRONMENT = 'test';
const LONG_MS = 30_000;

/** A real nats-server with everybody's keys and permissions, all streams and buckets made. */
export class TestBus implements AsyncDisposable {
  readonly server: NatsServer;
  readonly directory: string;
  readonly #home: TemporaryDirectory;
  readonly #clients: Bus[] = [];

  static async start(): Promise<TestBus> {
    const home = await temporaryDirectory();
    const keysDir = join(home.path, 'keys');
    const { trust } = await mintKeys({
      directory: keysDir,
      environment: ENVIRONMENT,
      identities: [
        { role: 'admin', id: 'setup' },
        { role: 'agent', id: 'web1' },
        { role: 'agent', id: 'web2' },
        { role: 'prober', id: 'main' },
        { role: 'prober', id: 'spare' },
        { role: 'dashboard', id: 'main' },
        { role: 'operator', id: 'cli' },
      ],
    });
    const storeDir = join(home.path, 'jetstream');
    // The server is given a port of its own beside the configuration.
    const config = natsServerConfig({ environment: ENVIRONMENT, host: '127.0.0.1', port: 4222, storeDir, trust });
    const server = await startNatsServer({ config, storeDir });
    const bus = new TestBus(server, home);
    await using admin = openBus({
      servers: server.url,
      credentialsFile: bus.credentials('admin', 'setup'),
      environment: ENVIRONMENT,
      role: 'admin',
      id: 'setup',
    });
    await admin.connected(AbortSignal.timeout(LONG_MS));
    await setupBus(admin);
    return bus;
  }

  private constructor(server: NatsServer, home: TemporaryDirectory) {
    this.server = server;
    this.directory = home.path;
    this.#home = home;
  }

  credentials(role: Role, id: string): string {
    return credentialsFile(join(this.directory, 'keys'), { role, id });
  }

  /** Closed with the server. */
  async connect(role: Role, id: string): Promise<Bus> {
    const bus = openBus({
      servers: this.server.url,
      credentialsFile: this.credentials(role, id),
      environment: ENVIRONMENT,
      role,
      id,
    });
    this.#clients.push(bus);
    await bus.connected(AbortSignal.timeout(LONG_MS));
    return bus;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) await client[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
    await this.#home[Symbol.asyncDispose]();
  }
}

/** What a subscriber of alerts and verdicts hears, in order. */
export class Listener {
  readonly alerts: AlertEvent[] = [];
  readonly verdicts: Verdict[] = [];
  /** By alert id, in monotonic ms. */
  readonly heardAtMs = new Map<string, number>();
  readonly bus: Bus;

  static async start(testBus: TestBus): Promise<Listener> {
    const bus = await testBus.connect('dashboard', 'main');
    const listener = new Listener(bus);
    bus.subscribe(rows.alert, {}, (alert) => {
      // A sender that doesn't know how its last attempt went sends again; the id tells.
      if (listener.heardAtMs.has(alert.id)) return;
      listener.heardAtMs.set(alert.id, performance.now());
      listener.alerts.push(alert);
    });
    bus.subscribe(rows.health, {}, (verdict) => listener.verdicts.push(verdict));
    await bus.flush();
    return listener;
  }

  private constructor(bus: Bus) {
    this.bus = bus;
  }

  /** The alerts that are in their stream, as `<rule> <state>`. */
  async stored(filter: Partial<Pick<AlertData, 'host' | 'service' | 'rule'>> = {}): Promise<string[]> {
    const stored = await this.bus.history(rows.alert, filter);
    return stored.map(({ message }) => brief(message));
  }
}

export function brief({ data: { rule, state } }: AlertEvent): string {
  return `${rule} ${state}`;
}
