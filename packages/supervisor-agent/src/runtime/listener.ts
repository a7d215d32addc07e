import type { Incarnation } from '@muster/contracts';
import type { InstanceRunner, Transition } from './instance/instance-runner.ts';
import type { ManagedService } from './services/managed-service.ts';

/**
 * What the parts of an agent hear. Each takes what it needs, and all hear it in the order of the agent's list, so that none
 * is filled once at the start.
 */
export interface Listener {
  /** A service is there from now on. */
  added?(service: ManagedService): void;
  /** An instance has made a step. */
  transitioned?(runner: InstanceRunner, transition: Transition): void;
  /** The step has moved it, as others depend on it. Once all have heard of the step. */
  moved?(runner: InstanceRunner): void;
  /** The bus came or went, and why. */
  connection?(isConnected: boolean, reason: string): void;
  /** What the bus says of its store. `hasGoneBack`: that has lost some of what it had. */
  incarnation?(told: Incarnation, hasGoneBack: boolean): void;
  /** The agent is about to end: nothing new is begun. */
  ending?(): void;
}

/** Is it in another state, or hold, or readiness? */
export function hasMoved({ from, to }: Transition): boolean {
  return (
    from.name !== to.name ||
    from.persisted.isHeld !== to.persisted.isHeld ||
    (from.name === 'running' && to.name === 'running' && from.ready !== to.ready)
  );
}
