import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { replaceForGroup } from '../files/program-keys.ts';
import { SERVER_FILES, stateLayout } from '../files/state-layout.ts';
import { type NatsServerOptions, natsServerConfig } from './nats-config.ts';

/** Writes what the embedded server needs where it runs as a user of its own; with the paths of what was written anew. */
export function writeEmbeddedServerFiles(
  stateDir: string,
  { tls, ...rest }: Omit<NatsServerOptions, 'storeDir' | 'pidFile'>,
): readonly string[] {
  const { serverDir } = stateLayout(stateDir);
  const named = (file: string) => join(SERVER_FILES.tls, basename(file));
  const ownTls = tls && { certFile: named(tls.certFile), keyFile: named(tls.keyFile), caFile: named(tls.caFile) };
  const config = natsServerConfig({
    ...rest,
    storeDir: SERVER_FILES.store,
    pidFile: SERVER_FILES.pid,
    ...(ownTls && { tls: ownTls }),
  });
  const files = [
    ...Object.values(tls ?? {}).map((file) => [named(file), readFileSync(file, 'utf8')] as const),
    [SERVER_FILES.confinedConfig, config] as const,
  ];
  return files.flatMap(([name, text]) => {
    const file = join(serverDir, name);
    return replaceForGroup(file, text) ? [file] : [];
  });
}
