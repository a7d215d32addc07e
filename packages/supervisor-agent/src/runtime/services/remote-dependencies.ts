/**
 * What this host has been told of services on other hosts. Each word of the leading prober counts for a while; without the
 * next one it is no longer known how things stand there: what runs goes on, what waits waits.
 */
import { DEPENDENCY_LEASE_MS } from '@muster/contracts';
import type { Dependency, RemoteStatus } from '../../core/dependency.ts';
import { monotonicNowMs } from '../../host/clock.ts';

const NEVER_TOLD: RemoteStatus = { isMet: false, reason: 'no prober has told yet how it stands' };
const NO_LONGER_TOLD: RemoteStatus = { isMet: false, reason: 'no prober tells any more how it stands' };

export class RemoteDependencies implements Disposable {
  readonly #told = new Map<string, { readonly status: RemoteStatus; readonly untilMs: number }>();
  readonly #onChange: () => void;
  #timer: NodeJS.Timeout | undefined;

  /** `onChange` is called after each word, and when one has lapsed. */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  take(dependency: Dependency, status: RemoteStatus): void {
    this.#told.set(keyOf(dependency), { status, untilMs: monotonicNowMs() + DEPENDENCY_LEASE_MS });
    this.#wakeAtNextLapse();
    this.#onChange();
  }

  status(dependency: Dependency): RemoteStatus {
    const told = this.#told.get(keyOf(dependency));
    if (told === undefined) return NEVER_TOLD;
    return monotonicNowMs() < told.untilMs ? told.status : NO_LONGER_TOLD;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #wakeAtNextLapse(): void {
    clearTimeout(this.#timer);
    const nowMs = monotonicNowMs();
    const lapses = [...this.#told.values()].map(({ untilMs }) => untilMs).filter((atMs) => atMs > nowMs);
    if (lapses.length === 0) return;
    const lapse = () => {
      this.#wakeAtNextLapse();
      this.#onChange();
    };
    this.#timer = setTimeout(lapse, Math.min(...lapses) - nowMs + 1);
  }
}

function keyOf({ target, condition }: Dependency): string {
  return `${target} ${condition}`;
}
