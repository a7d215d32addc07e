/**
 * Runs of services that services.yaml no longer names: the file was changed while no agent looked. Nobody would ever
 * look after them again, so they are stopped like any other.
 */
import { readdirSync } from 'node:fs';
import type { Logger } from 'pino';
import type { Driver } from '../../drivers/driver.ts';
import type { DriverRegistry } from '../../drivers/registry.ts';
import { keyOf } from '../../state/instance-store.ts';
import type { HostEvents } from '../report/host-events.ts';
import type { Supervisor } from './supervisor.ts';

const STOP_TIMEOUT_MS = 10_000;

export interface StrayRunsOptions {
  readonly runtimeFolder: string;
  readonly agentId: string;
  readonly registry: DriverRegistry;
  readonly supervisor: Supervisor;
  readonly events: Pick<HostEvents, 'announce'>;
  readonly logger: Logger;
}

/** Tells of each, and stops it. Never rejects. */
export async function stopUnconfigured(options: StrayRunsOptions): Promise<void> {
  const { registry, supervisor, events, logger } = options;
  const lookup = registry.find('process');
  if (lookup.kind !== 'driver') return;
  try {
    await stopStrayRuns({
      ...options,
      driver: lookup.driver,
      configured: new Set([...supervisor.runners()].map(({ key }) => keyOf(key.service, key.instance))),
      onFound: (service, pid) => {
        logger.warn({ service, pid }, 'stopping what is no longer configured');
        events.announce('config-loaded', `'${service}' is no longer configured: stopping pid ${pid}`);
      },
    });
  } catch (error) {
    logger.error({ err: error }, 'looking for what is no longer configured');
  }
}

/** Settles when they are gone. `onFound` is told each, before it is stopped. */
export async function stopStrayRuns(options: {
  readonly runtimeFolder: string;
  readonly agentId: string;
  readonly driver: Driver;
  /** `<service>.<instance>` of everything that is configured. */
  readonly configured: ReadonlySet<string>;
  readonly onFound: (service: string, pid: number) => void;
}): Promise<void> {
  const { runtimeFolder, agentId, driver, configured, onFound } = options;
  const strays = foldersIn(runtimeFolder).flatMap((name) => {
    const [, service, instance] = /^([a-z0-9][a-z0-9_-]{0,62})\.(\d{1,4})$/.exec(name) ?? [];
    if (service === undefined || configured.has(keyOf(service, Number(instance)))) return [];
    return [{ agentId, service, instance: Number(instance) }];
  });
  await Promise.all(
    strays.map(async (key) => {
      const found = await driver.recover(key, new AbortController().signal);
      if (found.kind !== 'run') return;
      onFound(key.service, found.pid);
      await found.signalTree('SIGTERM');
      try {
        await found.treeGone(AbortSignal.timeout(STOP_TIMEOUT_MS));
      } catch {
        await found.killTree();
      }
    }),
  );
}

function foldersIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // the first start of this boot
  }
}
