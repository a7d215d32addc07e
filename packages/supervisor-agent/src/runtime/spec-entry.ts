import type { ServiceSpecEntry } from '@muster/contracts';
import { type ServiceSpec, specHash } from '@muster/contracts/config';
import type { Envelopes } from './envelopes.ts';
import { dependenciesOf } from './supervisor.ts';

/** What others may know of a configuration: names of the environment, never its values. */
export function specEntryOf(
  spec: ServiceSpec,
  isSystem: boolean,
  host: string,
  envelopes: Envelopes,
): ServiceSpecEntry {
  return {
    ...envelopes.next(),
    host,
    service: spec.name,
    type: spec.type,
    command: typeof spec.command === 'string' ? spec.command : spec.command.join(' '),
    ...(spec.port !== undefined && { port: spec.port }),
    ...(spec.healthCheckUrl !== undefined && { healthCheckUrl: spec.healthCheckUrl }),
    environmentNames: Object.keys(spec.environment).sort(),
    dependencies: dependenciesOf(spec).map(({ target, condition }) => ({ target, condition })),
    autoRestart: spec.autoRestart,
    maxRestarts: spec.maxRestarts,
    restartDelayMs: spec.restartDelayMs ?? 0,
    job: spec.job,
    system: isSystem,
    instances: 1,
    labels: { ...spec.labels },
    specHash: specHash(spec),
  };
}
