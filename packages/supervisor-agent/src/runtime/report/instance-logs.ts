import type { Incarnation } from '@muster/contracts';
import type { LogShipping } from '../../log/log-shipping.ts';
import type { Listener } from '../listener.ts';
import type { ManagedService } from '../services/managed-service.ts';

/** Has the lines of each instance shipped. */
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

  incarnation(told: Incarnation): void {
    this.#shipping.learn(told);
  }
}
