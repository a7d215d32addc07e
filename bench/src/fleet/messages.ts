/** What a simulated host says: the golden messages of the wire, with its own name and as many services as it has. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { AgentPresence, HostMetrics, InstanceStatus } from '@muster/contracts';

const GOLDEN_DIR = path.resolve(import.meta.dirname, '../../../packages/contracts/golden/v1');

export interface HostMessages {
  readonly presence: AgentPresence;
  readonly metrics: HostMetrics;
  /** One for each service. */
  readonly statuses: readonly InstanceStatus[];
}

/** Read and checked by their schemas once: what is sent differs in names, id, time and position only. */
const PRESENCE = AgentPresence.parse(golden('messages/host-presence'));
const METRICS = HostMetrics.parse(golden('messages/host-metrics'));
const STATUS = InstanceStatus.parse(golden('buckets/status'));

export function messagesOf(host: string, services: number): HostMessages {
  const source = `agent/${host}`;
  const [sample] = METRICS.services;
  if (sample === undefined) throw new Error('the golden metrics have no service');
  const names = Array.from({ length: services }, (_, index) => `service-${index}`);
  return {
    presence: { ...PRESENCE, source, host, services },
    metrics: { ...METRICS, source, host, services: names.map((service) => ({ ...sample, service })) },
    statuses: names.map((service) => ({ ...STATUS, source, host, service, instance: 0 })),
  };
}

export function hostName(index: number): string {
  return `host-${index}`;
}

function golden(name: string): unknown {
  return JSON.parse(readFileSync(path.join(GOLDEN_DIR, `${name}.json`), 'utf8'));
}
