import type { InstanceRunner, Transition } from '../instance/instance-runner.ts';
import type { Listener } from '../listener.ts';
import type { Supervisor } from './supervisor.ts';
import { BUS_SETUP } from './system-services.ts';

/** Muster's own bus has lost its streams, for somebody has cleared its store: the job that made them makes them anew. */
export class BusSetup implements Listener {
  readonly #supervisor: Supervisor;
  readonly #onDone: () => void;
  #isUnderWay = false;
  #isEnding = false;

  constructor(supervisor: Supervisor, onDone: () => void) {
    this.#supervisor = supervisor;
    this.#onDone = onDone;
  }

  /** Does nothing where somebody else runs the bus, or while the job runs already. */
  again(): void {
    const job = this.#supervisor.runner(BUS_SETUP, 0);
    if (this.#isEnding || job?.policy.isSystem !== true || job.state.name !== 'completed') return;
    this.#isUnderWay = true;
    job.post({ type: 'start', by: 'the agent, for the bus has lost its streams' });
  }

  transitioned({ key }: InstanceRunner, { to }: Transition): void {
    if (!this.#isUnderWay || key.service !== BUS_SETUP || to.name !== 'completed') return;
    this.#isUnderWay = false;
    this.#onDone();
  }

  ending(): void {
    this.#isEnding = true;
  }
}
