import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setupBus } from '@muster/contracts/admin';
import { type BusOptions, type NatsBus, openBus } from '@muster/contracts/bus';
import { credentialsFile, stateLayout } from '@muster/contracts/files';
import { type Identity, mintKeys, natsServerConfig } from '@muster/contracts/keys';
import { type NatsServer, startNatsServer, type TemporaryDirectory, temporaryDirectory } from '@muster/testkit';
import { type ConnectionOptions, connect, credsAuthenticator, type NatsConnection } from '@nats-io/transport-node';

const LONG_MS = 60_000;
const SET_UP: Identity = { role: 'admin', id: 'setup' };

/** A real nats-server with the keys and permissions of these identities, and streams and buckets. */
export class TestBus implements AsyncDisposable {
  readonly environment = 'test';
  readonly server: NatsServer;
  /** Its keys are where an agent's are. */
  readonly stateDir: string;
  readonly #home: TemporaryDirectory;
  readonly #opened: NatsBus[] = [];

  /** `isEmpty`: without streams and buckets. They are made as the first admin, or as one that is added. */
  static async start(identities: readonly Identity[], { isEmpty = false } = {}): Promise<TestBus> {
    const home = await temporaryDirectory();
    const admin = identities.find(({ role }) => role === 'admin') ?? SET_UP;
    const [directory, environment] = [stateLayout(home.path).keysDir, 'test'];
    const { trust } = await mintKeys({ directory, environment, identities: [admin, ...identities] });
    const storeDir = join(home.path, 'jetstream');
    // The server is given a port of its own beside the configuration.
    const config = natsServerConfig({ environment, host: '127.0.0.1', port: 4222, storeDir, trust });
    const bus = new TestBus(await startNatsServer({ config, storeDir }), home);
    if (isEmpty) return bus;
    await using setUp = await bus.connect(admin);
    await setupBus(setUp);
    return bus;
  }

  private constructor(server: NatsServer, home: TemporaryDirectory) {
    this.server = server;
    this.stateDir = home.path;
    this.#home = home;
  }

  get url(): string {
    return this.server.url;
  }

  get keysDir(): string {
    return stateLayout(this.stateDir).keysDir;
  }

  /** The file with the credentials of one of the identities. */
  credentials(identity: Pick<Identity, 'role' | 'id'>): string {
    return credentialsFile(this.keysDir, identity);
  }

  /** Gives keys to more identities, or signs again. */
  async mint(identities: readonly Identity[]): Promise<void> {
    await mintKeys({ directory: this.keysDir, environment: this.environment, identities });
  }

  /** Closed with the server at the latest. */
  open({ role, id }: Identity, options: Partial<BusOptions> = {}): NatsBus {
    const own = options.credentials === undefined ? { credentialsFile: this.credentials({ role, id }) } : {};
    const bus = openBus({ servers: this.url, ...own, environment: this.environment, role, id, ...options });
    this.#opened.push(bus);
    return bus;
  }

  /** As `open`, and connected. */
  async connect(identity: Identity, options: Partial<BusOptions> = {}): Promise<NatsBus> {
    const bus = this.open(identity, options);
    await bus.connected(AbortSignal.timeout(LONG_MS));
    return bus;
  }

  /** A client without any rules of its own, with the credentials of one of the identities. */
  async connectRaw(identity: Identity, options: ConnectionOptions = {}): Promise<NatsConnection> {
    const authenticator = credsAuthenticator(await readFile(this.credentials(identity)));
    return await connect({ servers: this.url, authenticator, ...options });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const bus of this.#opened) await bus[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
    await this.#home[Symbol.asyncDispose]();
  }
}
