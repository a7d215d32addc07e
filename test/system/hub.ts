/**
 * A bus that no agent runs, as a fleet has it: real servers with the keys and permissions of `muster bus keys`, streams and
 * buckets set up, and hosts that join with nothing but their credentials and an address.
 */
import path from 'node:path';
import { setupBus } from '@muster/contracts/admin';
import { type NatsBus, openBus } from '@muster/contracts/bus';
import { credentialsFile } from '@muster/contracts/files';
import { type BusTrust, type Identity, mintKeys, natsServerConfig } from '@muster/contracts/keys';
import {
  eventually,
  type FixtureProcess,
  type NatsServer,
  type SmallDisk,
  startFixture,
  startMusterSystem,
  startNatsServer,
  type TcpFaults,
  type TemporaryDirectory,
  type TestHost,
  temporaryDirectory,
} from '@muster/testkit';
import { ROOT_DIR } from './support.ts';

const ENVIRONMENT = 'test';
const BUS_PORT = 4222;
const ADMIN: Identity = { role: 'admin', id: 'setup' };

/** The identities of a fleet, in a directory of their own. */
export async function mintFleetKeys(directory: string, hosts: readonly string[]): Promise<BusTrust> {
  const identities: readonly Identity[] = [
    ADMIN,
    { role: 'operator', id: 'cli' },
    { role: 'prober', id: 'main' },
    { role: 'dashboard', id: 'main' },
    ...hosts.map((id) => ({ role: 'agent' as const, id })),
  ];
  const { trust } = await mintKeys({ directory, environment: ENVIRONMENT, identities });
  return trust;
}

/** Connected as one of them. */
export async function openFleetBus(
  keysDir: string,
  servers: string | readonly string[],
  identity: Identity,
): Promise<NatsBus> {
  const bus = openBus({
    servers,
    credentialsFile: credentialsFile(keysDir, identity),
    environment: ENVIRONMENT,
    ...identity,
  });
  await bus.connected(AbortSignal.timeout(60_000));
  return bus;
}

/** Makes streams and buckets, as soon as there is somebody who takes them. */
export async function setUpFleetBus(
  keysDir: string,
  servers: string | readonly string[],
  replicas?: number,
): Promise<void> {
  await using admin = await openFleetBus(keysDir, servers, ADMIN);
  await eventually(() => setupBus(admin, replicas === undefined ? {} : { replicas }), {
    message: 'streams and buckets',
    timeoutMs: 60_000,
  });
}

/** An agent and nothing else, on a bus that is there already. */
export function joinFleet(
  keysDir: string,
  url: string,
  options: { host: string; services: string; on?: TestHost; stateDir?: string },
) {
  const { host, services, on, stateDir } = options;
  return startMusterSystem({
    host,
    services,
    environment: ENVIRONMENT,
    isEmbedded: false,
    bus: { url, credentialsFile: credentialsFile(keysDir, { role: 'agent', id: host }) },
    ...(on !== undefined && { network: on }),
    ...(stateDir !== undefined && { stateDir }),
  });
}

export interface HubOptions {
  /** Ids of the hosts that may join. */
  readonly hosts: readonly string[];
  /** Where the bus runs; default: on loopback of the test's own network. */
  readonly on?: TestHost;
  /** Where the bus keeps its streams; default: a temporary directory. */
  readonly disk?: SmallDisk;
}

export async function startHub(options: HubOptions): Promise<Hub> {
  const home = await temporaryDirectory();
  const hub = new Hub(home, options);
  try {
    await hub.start();
  } catch (error) {
    await hub[Symbol.asyncDispose]();
    throw error;
  }
  return hub;
}

export class Hub implements AsyncDisposable {
  readonly #home: TemporaryDirectory;
  readonly #options: HubOptions;
  readonly #owned: AsyncDisposable[] = [];
  #server: NatsServer | undefined;
  /** Into the hub's network, when it has one of its own. */
  #door: TcpFaults | undefined;

  constructor(home: TemporaryDirectory, options: HubOptions) {
    this.#home = home;
    this.#options = options;
  }

  get server(): NatsServer {
    if (this.#server === undefined) throw new Error('the hub has no server yet');
    return this.#server;
  }

  get keysDir(): string {
    return path.join(this.#home.path, 'keys');
  }

  /** For the test's own process. */
  get url(): string {
    return this.#door === undefined ? this.server.url : `nats://127.0.0.1:${this.#door.port}`;
  }

  async start(): Promise<void> {
    const { hosts, on, disk } = this.#options;
    const trust = await mintFleetKeys(this.keysDir, hosts);
    const storeDir = path.join(disk?.path ?? this.#home.path, 'jetstream');
    const config = configOf(trust, storeDir);
    this.#server = await startNatsServer({
      config,
      storeDir,
      ...(on !== undefined && { host: on, port: BUS_PORT }),
      ...(disk !== undefined && { host: disk.host }),
    });
    this.#owned.push(this.#server);
    this.#door = await on?.open(BUS_PORT);
    await setUpFleetBus(this.keysDir, this.url);
  }

  /** The bus, as an operator sees it from the test's own process. */
  connect(): Promise<NatsBus> {
    return openFleetBus(this.keysDir, this.url, { role: 'operator', id: 'cli' });
  }

  /** An agent joins, at `url` when it is to take another way than straight to the server. */
  join(
    host: string,
    services: string,
    how: { readonly on?: TestHost; readonly url?: string; readonly stateDir?: string } = {},
  ) {
    const { url = this.server.url, ...where } = how;
    return joinFleet(this.keysDir, url, { host, services, ...where });
  }

  /** Starts the prober or the dashboard where the bus runs. It is the caller's to dispose. */
  program(name: 'health-prober' | 'dashboard'): Promise<FixtureProcess> {
    const role = name === 'dashboard' ? 'dashboard' : 'prober';
    const line = [process.execPath, path.join(ROOT_DIR, 'packages', name, 'bundle/main.js')] as const;
    const [command, ...args] = this.#options.on?.command(...line) ?? line;
    return startFixture(command, args, {
      env: {
        MUSTER_STATE_DIR: path.join(this.#home.path, name),
        MUSTER_CONFIG_DIR: path.join(this.#home.path, `${name}-config`),
        MUSTER_ENVIRONMENT: ENVIRONMENT,
        MUSTER_BUS_URL: this.server.url,
        MUSTER_BUS_CREDENTIALS: credentialsFile(this.keysDir, { role, id: 'main' }),
      },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const owned of this.#owned.reverse()) await owned[Symbol.asyncDispose]();
    await this.#home[Symbol.asyncDispose]();
  }
}

function configOf(trust: BusTrust, storeDir: string): string {
  return natsServerConfig({ environment: ENVIRONMENT, host: '127.0.0.1', port: BUS_PORT, storeDir, trust });
}
