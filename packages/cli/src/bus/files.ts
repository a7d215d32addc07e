import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isLoopbackHost, type RetentionChanges } from '@muster/contracts';
import { readIncarnationFile } from '@muster/contracts/bus';
import { copyProgramKeys, SERVER_FILES, stateLayout, withFileLock } from '@muster/contracts/files';
import {
  type BusTrust,
  furtherServersIn,
  type Identity,
  mintCertificates,
  mintKeys,
  serverTlsFiles,
  writeEmbeddedServerFiles,
  writeNatsServerConfig,
} from '@muster/contracts/keys';
import type { Settings } from '../config.ts';
import { CliError } from '../exit-codes.ts';
import { pidFileOf } from './embedded-server.ts';
import { ownNames } from './own-names.ts';

export interface BusFiles {
  /** Paths of what was made or written again. */
  readonly created: readonly string[];
  readonly kept: readonly string[];
  readonly trust: BusTrust;
  /** Of clusters and sites, as their certificates are named. */
  readonly furtherServers: readonly string[];
}

/**
 * Brings keys, certificates and the configuration of the embedded nats-server to what they must be; the certificates of
 * servers elsewhere, too. Files only, no network. Of two at once the second writes last what it has read last: nobody's revocation
 * is missing in the configuration.
 */
export async function makeBusFiles(
  settings: Settings,
  identities: readonly Identity[],
  retention: RetentionChanges,
): Promise<BusFiles> {
  return await withFileLock(join(settings.keysDir, 'files.lock'), () => makeFiles(settings, identities, retention));
}

async function makeFiles(
  settings: Settings,
  identities: readonly Identity[],
  retention: RetentionChanges,
): Promise<BusFiles> {
  const { environment, keysDir, listen, names, stateDir } = settings;
  const minted = await mintKeys({ directory: keysDir, environment, identities });
  const isOpen = !isLoopbackHost(listen.host);
  const furtherServers = await furtherServersIn(keysDir);
  const certificates =
    isOpen || furtherServers.length > 0
      ? await mintCertificates({
          directory: keysDir,
          environment,
          identities,
          furtherServers,
          ...(isOpen && { serverNames: ownNames(listen.host, names) }),
        })
      : { created: [], kept: [] };
  const { serverDir } = stateLayout(stateDir);
  const configFile = join(serverDir, SERVER_FILES.config);
  // A hint for who connects; what counts is what probers answer, signed.
  const { incarnation = 1 } = (await readIncarnationFile(keysDir)) ?? {};
  const server = {
    environment,
    ...listen,
    trust: minted.trust,
    retention,
    ...(incarnation > 1 && { serverName: `muster-${environment}-${incarnation}` }),
    ...(isOpen && { tls: serverTlsFiles(keysDir) }),
  };
  const written = await writeNatsServerConfig(configFile, {
    ...server,
    storeDir: join(serverDir, SERVER_FILES.store),
    pidFile: pidFileOf(settings),
  });
  const [createdConfig, keptConfig] = written === 'written' ? [[configFile], []] : [[], [configFile]];
  const embedded = giveToPrograms(settings, server);
  return {
    created: [...minted.created, ...certificates.created, ...createdConfig, ...embedded],
    kept: [...minted.kept, ...certificates.kept, ...keptConfig],
    trust: minted.trust,
    furtherServers: furtherServers.map(({ file }) => file),
  };
}

/**
 * Started by root, Muster's own programs run as users that can't look into the folder of the keys: each is given what it
 * needs, before anybody is told to read it again.
 */
function giveToPrograms(
  { stateDir, keysDir }: Settings,
  server: Parameters<typeof writeEmbeddedServerFiles>[1],
): readonly string[] {
  if (process.getuid?.() !== 0) return [];
  copyProgramKeys(stateDir, keysDir);
  return writeEmbeddedServerFiles(stateDir, server);
}

/** What is to be done where servers elsewhere have certificates, or an authority, that were made anew. */
export function certificateAdvice({ created, furtherServers }: BusFiles): readonly string[] {
  const names = created.map((path) => basename(path));
  return furtherServers
    .filter((file) => names.includes('ca.crt') || names.includes(`${file}.crt`))
    .map((file) => `copy ca.crt, ${file}.crt and ${file}.key to that server again, then send its nats-server HUP`);
}

/** What is to be done about servers elsewhere after the fleet's account has changed. */
export function configurationAdvice({ furtherServers }: BusFiles): readonly string[] {
  if (furtherServers.length === 0) return [];
  return [
    `write the configurations of ${furtherServers.join(', ')} again (muster bus server, muster bus leaf) and copy them there: what they hold counts at the next start`,
  ];
}

/** Are the keys of a bus here? */
export function hasBusKeys(keysDir: string): boolean {
  return existsSync(join(keysDir, 'account.nk'));
}

/** @throws CliError (failed) where the keys of a bus would only now be made, and would be those of another bus */
export function expectBusKeys({ keysDir }: Settings, what: string): void {
  if (hasBusKeys(keysDir)) return;
  throw new CliError(
    'failed',
    `cannot ${what}: there are no keys of a bus in '${keysDir}': run this on the host that runs the bus`,
  );
}
