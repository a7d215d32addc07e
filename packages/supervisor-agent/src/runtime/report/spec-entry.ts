import type { ServiceSpecEntry } from '@muster/contracts';
import { type ServiceSpec, specHash } from '@muster/contracts/config';
import type { Envelopes } from '../../bus/envelopes.ts';
import type { HostKey } from '../../state/hash-key.ts';
import type { Secrets } from '../secrets.ts';
import { dependenciesOf } from '../services/supervisor.ts';

/** What others may know of a configuration: names of the environment, never its values, nor what else looks secret. */
export function specEntryOf(
  spec: ServiceSpec,
  isSystem: boolean,
  host: string,
  envelopes: Envelopes,
  { secrets, hostKey }: { readonly secrets: Secrets; readonly hostKey: HostKey },
): ServiceSpecEntry {
  const hide = (text: string) => secrets.hide(text, spec.name);
  return {
    ...envelopes.next(),
    host,
    service: spec.name,
    type: spec.type,
    command: secrets.commandOf(spec.name, spec.command),
    ...(spec.port !== undefined && { port: spec.port }),
    ...(spec.healthCheckUrl !== undefined && { healthCheckUrl: hide(spec.healthCheckUrl) }),
    environmentNames: Object.keys(spec.environment).sort(),
    dependencies: dependenciesOf(spec).map(({ target, condition }) => ({ target, condition })),
    autoRestart: spec.autoRestart,
    maxRestarts: spec.maxRestarts,
    restartDelayMs: spec.restartDelayMs ?? 0,
    job: spec.job,
    system: isSystem,
    instances: 1,
    labels: Object.fromEntries(Object.entries(spec.labels).map(([name, value]) => [name, hide(value)])),
    specHash: hostKey.seal(specHash(spec)),
  };
}
