import { join } from 'node:path';
import { setupBus } from '@muster/contracts/admin';
import { openBus } from '@muster/contracts/bus';
import { credentialsFile } from '@muster/contracts/files';
import { type Identity, mintKeys, natsServerConfig } from '@muster/contracts/keys';
import { startNatsServer, temporaryDirectory } from '@muster/testkit';

const IDENTITIES = [
  { role: 'admin', id: 'setup' },
  { role: 'agent', id: 'web1' },
  { role: 'prober', id: 'main' },
  { role: 'dashboard', id: 'main' },
] as const satisfies readonly Identity[];

export const ENVIRONMENT = 'test';

/** A real nats-server with keys, permissions, streams and buckets. */
export async function startTestBus() {
  const home = await temporaryDirectory();
  const keysDir = join(home.path, 'keys');
  const { trust } = await mintKeys({ directory: keysDir, environment: ENVIRONMENT, identities: IDENTITIES });
  const storeDir = join(home.path, 'jetstream');
  const config = natsServerConfig({ environment: ENVIRONMENT, host: '127.0.0.1', port: 4222, storeDir, trust });
  const server = await startNatsServer({ config, storeDir });
  const credentials = (identity: Identity) => credentialsFile(keysDir, identity);
  const open = (identity: Identity) =>
    openBus({ servers: server.url, credentialsFile: credentials(identity), environment: ENVIRONMENT, ...identity });
  {
    await using admin = open({ role: 'admin', id: 'setup' });
    await admin.connected(AbortSignal.timeout(30_000));
    await setupBus(admin);
  }
  return {
    server,
    url: server.url,
    stateDir: home.path,
    credentials,
    open,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await home[Symbol.asyncDispose]();
    },
  };
}
