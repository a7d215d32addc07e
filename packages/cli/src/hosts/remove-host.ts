import type { RetentionChanges } from '@muster/contracts';
import { configurationAdvice, expectBusKeys, makeBusFiles } from '../bus/files.ts';
import { forgetStored, tellEverybody, tellServers } from '../bus/tell-servers.ts';
import type { Settings } from '../config.ts';
import { CliError } from '../exit-codes.ts';
import { voidKeysOf } from './void-keys.ts';

export interface RemoveHostOptions {
  readonly settings: Settings;
  /** What the streams keep: it goes into nats-server's configuration. */
  readonly retention: RetentionChanges;
  readonly onProgress: (line: string) => void;
}

export interface RemovedHost {
  /** The servers that have closed its connection, and let it in no more. */
  readonly servers: readonly string[];
  /** What became of its services on the screen: gone, or why they are still there. */
  readonly stored: Awaited<ReturnType<typeof forgetStored>>['outcome'];
}

/**
 * Turns a host out. What is on disk comes first, so that a restarted nats-server knows it too; then the running servers
 * are told, then everybody who would believe the host's signature. Doing it again goes on where it broke off.
 * @throws CliError
 */
export async function removeHost(
  host: string,
  { settings, retention, onProgress }: RemoveHostOptions,
  signal: AbortSignal,
): Promise<RemovedHost> {
  if (host === settings.hostId) {
    throw new CliError('usage', `cannot remove '${host}': that is this host, which runs the bus`);
  }
  expectBusKeys(settings, `remove '${host}'`);
  const { revocations, count } = await voidKeysOf({ role: 'agent', id: host }, 'host removed', settings);
  if (count === 0 && !revocations.list.revoked.some(({ identity }) => identity === `agent/${host}`)) {
    throw new CliError('notFound', `cannot remove '${host}': no such host was added here`);
  }
  const files = await makeBusFiles(settings, [], retention);
  onProgress(`the credentials of '${host}' are void`);
  const servers = await tellServers(settings, files.trust);
  onProgress(`told nats-server ${servers.join(', ')}`);
  for (const advice of configurationAdvice(files)) onProgress(advice);
  await tellEverybody(settings, revocations, signal);
  onProgress('told everybody who might believe it; what is stored of it goes once it is silent');
  const { outcome } = await forgetStored(host, settings, signal);
  return { servers, stored: outcome };
}
