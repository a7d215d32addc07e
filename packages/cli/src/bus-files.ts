import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isLoopbackHost, type RetentionChanges } from '@muster/contracts';
import {
  type BusTrust,
  type Identity,
  mintCertificates,
  mintKeys,
  serverTlsFiles,
  writeNatsServerConfig,
} from '@muster/contracts/bus';
import type { Settings } from './config.ts';
import { pidFileOf } from './embedded-server.ts';
import { CliError } from './exit-codes.ts';
import { ownNames } from './own-names.ts';

export interface BusFiles {
  /** Paths of what was made or written again. */
  readonly created: readonly string[];
  readonly kept: readonly string[];
  readonly trust: BusTrust;
}

/** Brings keys, certificates and the configuration of the embedded nats-server to what they must be. Files only, no network. */
export async function makeBusFiles(
  settings: Settings,
  identities: readonly Identity[],
  retention: RetentionChanges,
): Promise<BusFiles> {
  const { environment, keysDir, listen, names, stateDir } = settings;
  const minted = await mintKeys({ directory: keysDir, environment, identities });
  const isOpen = !isLoopbackHost(listen.host);
  const serverNames = ownNames(listen.host, names);
  const certificates = isOpen
    ? await mintCertificates({ directory: keysDir, environment, identities, serverNames })
    : { created: [], kept: [] };
  const configFile = join(stateDir, 'nats', 'nats.conf');
  const written = await writeNatsServerConfig(configFile, {
    environment,
    ...listen,
    storeDir: join(stateDir, 'nats', 'jetstream'),
    trust: minted.trust,
    retention,
    pidFile: pidFileOf(settings),
    ...(isOpen && { tls: serverTlsFiles(keysDir) }),
  });
  const [createdConfig, keptConfig] = written === 'written' ? [[configFile], []] : [[], [configFile]];
  return {
    created: [...minted.created, ...certificates.created, ...createdConfig],
    kept: [...minted.kept, ...certificates.kept, ...keptConfig],
    trust: minted.trust,
  };
}

/** @throws CliError (failed) where the keys of a bus would only now be made, and would be those of another bus */
export function expectBusKeys({ keysDir }: Settings, what: string): void {
  if (existsSync(join(keysDir, 'account.nk'))) return;
  throw new CliError(
    'failed',
    `cannot ${what}: there are no keys of a bus in '${keysDir}': run this on the host that runs the bus`,
  );
}
