import type { ServiceSpec } from '@muster/contracts/config';
import type { Dependency } from '../../core/dependency.ts';
import type { InstanceRunner } from '../instance/instance-runner.ts';

/** One service of this host with its running copies. */
export interface ManagedService {
  readonly spec: ServiceSpec;
  /** One of Muster's own: it stops after everything else. */
  readonly isSystem: boolean;
  readonly runners: readonly InstanceRunner[];
}

export function dependenciesOf(spec: ServiceSpec): readonly Dependency[] {
  return spec.dependencies.map(({ host, service, condition }) => ({
    target: host === undefined ? service : `${host}/${service}`,
    condition,
  }));
}
