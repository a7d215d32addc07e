import type { InstanceStore } from '../../state/instance-store.ts';
import type { Supervisor } from './supervisor.ts';

/** One look at every process of the host; with 100 services it takes some 25 ms. */
const TREE_LOOK_INTERVAL_MS = 60_000;
/** Between two looks whether what is orphaned still lives. */
const ORPHAN_LOOK_INTERVAL_MS = 5_000;

/** Looks now and then at what tells nobody that it has changed. */
export class RegularLooks implements Disposable {
  readonly #timers: readonly NodeJS.Timeout[];

  constructor(supervisor: Supervisor, store: InstanceStore) {
    const lookAtTrees = () => {
      // The driver learns which trees have members that left their group: those are looked for before a next start.
      for (const { run } of supervisor.runners()) run?.pids();
      store.restoreIfTaken();
    };
    this.#timers = [
      setInterval(lookAtTrees, TREE_LOOK_INTERVAL_MS),
      setInterval(() => void supervisor.lookAtOrphans(), ORPHAN_LOOK_INTERVAL_MS),
    ];
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers) clearInterval(timer);
  }
}
