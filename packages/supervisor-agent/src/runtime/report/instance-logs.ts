import type { Incarnation } from '@muster/contracts';
import type { LogShipping } from '../../log/log-shipping.ts';
import type { InstanceRunner, Transition } from '../instance/instance-runner.ts';
import type { Listener } from '../listener.ts';
import type { ManagedService } from '../services/managed-service.ts';

/** Has the lines of each instance shipped, and says which run they are of. */
export class InstanceLogs implements Listener {
  readonly #shipping: LogShipping;

  constructor(shipping: LogShipping) {
    this.#shipping = shipping;
  }

  added({ spec, runners }: ManagedService): void {
    for (const { key, state } of runners) {
      this.#shipping.add(key.service, key.instance, state.persisted.generation, spec.logs);
    }
  }

  transitioned({ key }: InstanceRunner, { to }: Transition): void {
    if (to.name === 'starting') this.#shipping.runBegins(key.service, key.instance, to.persisted.generation);
  }

  incarnation(told: Incarnation): void {
    this.#shipping.learn(told);
  }
}
