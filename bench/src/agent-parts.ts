import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { HostSample, ServiceSample } from '@muster/contracts';

/** As much of the agent's samplers as the benchmark uses. They are nobody's public interface, so they are found by path. */
export interface Samplers extends Disposable {
  readonly host: { sample(): HostSample };
  readonly services: {
    sample(instances: readonly { service: string; instance: number; pids: readonly number[] }[]): ServiceSample[];
  };
}

type Made<Key extends keyof Samplers> = new () => Samplers[Key] & Disposable;

export async function loadSamplers(rootDir: string): Promise<Samplers> {
  const directory = path.join(rootDir, 'packages/supervisor-agent/dist/host');
  const load = (file: string): Promise<unknown> => import(pathToFileURL(path.join(directory, file)).href);
  const { HostSampler } = (await load('host-sampler.js')) as { HostSampler: Made<'host'> };
  const { ServiceSampler } = (await load('service-sampler.js')) as { ServiceSampler: Made<'services'> };
  const host = new HostSampler();
  const services = new ServiceSampler();
  return {
    host,
    services,
    [Symbol.dispose]() {
      host[Symbol.dispose]();
      services[Symbol.dispose]();
    },
  };
}
