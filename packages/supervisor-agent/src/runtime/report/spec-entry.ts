import { keys, type ServiceSpecEntry } from '@muster/contracts';
import { type ServiceSpec, specHash } from '@muster/contracts/config';
import type { Envelopes } from '../../bus/envelopes.ts';
import type { KvWriter } from '../../bus/kv-writer.ts';
import type { HashKey } from '../../state/hash-key.ts';
import type { Listener } from '../listener.ts';
import type { Secrets } from '../secrets.ts';
import { dependenciesOf, type ManagedService } from '../services/managed-service.ts';

export interface SpecEntriesOptions {
  readonly host: string;
  readonly envelopes: Envelopes;
  readonly secrets: Secrets;
  readonly hashKey: HashKey;
  readonly specs: Pick<KvWriter<ServiceSpecEntry>, 'set'>;
}

/** Keeps the bucket of specs as the configuration is. */
export class SpecEntries implements Listener {
  readonly #options: SpecEntriesOptions;

  constructor(options: SpecEntriesOptions) {
    this.#options = options;
  }

  added({ spec, isSystem }: ManagedService): void {
    const { host, envelopes, specs } = this.#options;
    specs.set(keys.spec(host, spec.name), specEntryOf(spec, isSystem, host, envelopes, this.#options));
  }
}

/** What others may know of a configuration: names of the environment, never its values, nor what else looks secret. */
export function specEntryOf(
  spec: ServiceSpec,
  isSystem: boolean,
  host: string,
  envelopes: Envelopes,
  { secrets, hashKey }: { readonly secrets: Secrets; readonly hashKey: HashKey },
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
    specHash: hashKey.seal(specHash(spec)),
  };
}
