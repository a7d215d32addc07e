/** Tells the launcher how the start goes: each state once it changed, and once that everything is up. */

import type { ManagedService } from '../services/managed-service.ts';
import type { Supervisor } from '../services/supervisor.ts';
import type { ToLauncher } from './launcher-link.ts';

/** Changes within this time are told together. */
const COLLECT_MS = 50;
/** Muster is up once its page is; a service of the user's that takes longer than this is not waited for. */
const PATIENCE_MS = 5_000;

export class StartProgress {
  readonly #supervisor: Supervisor;
  readonly #tell: (message: ToLauncher) => void;
  readonly #url: string;
  #timer: NodeJS.Timeout | undefined;
  #patience: NodeJS.Timeout | undefined;
  #isReady = false;

  constructor(supervisor: Supervisor, tell: (message: ToLauncher) => void, url: string) {
    this.#supervisor = supervisor;
    this.#tell = tell;
    this.#url = url;
  }

  changed(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#look();
    }, COLLECT_MS);
  }

  #look(): void {
    const all = [...this.#supervisor.services];
    this.#tell({
      type: 'state',
      services: Object.fromEntries(all.map((service) => [service.spec.name, wordFor(service)])),
    });
    if (this.#isReady || !all.filter(({ isSystem }) => isSystem).every(isUp)) return;
    if (all.every(isSettled)) this.#ready();
    else this.#patience ??= setTimeout(() => this.#ready(), PATIENCE_MS);
  }

  #ready(): void {
    if (this.#isReady) return;
    this.#isReady = true;
    clearTimeout(this.#patience);
    this.#tell({ type: 'ready', url: this.#url });
  }
}

function wordFor({ runners }: ManagedService): string {
  return runners[0]?.state.name ?? 'unknown';
}

function isUp({ runners }: ManagedService): boolean {
  return runners.every(
    ({ state, policy }) =>
      state.name === 'completed' || (state.name === 'running' && (state.ready === 'yes' || !policy.hasReadinessProbe)),
  );
}

/** Up, or in a state that waiting will not change soon. */
function isSettled(service: ManagedService): boolean {
  const isWaiting = service.runners.some(({ state }) => state.name === 'pending' || state.name === 'starting');
  return isUp(service) || (!isWaiting && service.runners.every(({ state }) => state.name !== 'running'));
}
