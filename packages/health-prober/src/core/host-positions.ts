/**
 * How far the events of each host are, against what its agent says of itself. An epoch that no agent of the host has said,
 * by whoever holds its key, must not make all that its agent says later an old story.
 */
import type { AgentPresence, InstanceEvent } from '@muster/contracts';

/** A heartbeat of the agent before may be heard behind the first events of the next one: one alone says nothing. */
const HEARTBEATS_BEHIND = 3;

interface Standing {
  /** The largest that events said. */
  readonly epoch: number;
  /** Heartbeats in a row that said a smaller one. */
  readonly behind: number;
}

export class HostPositions {
  readonly #standings = new Map<string, Standing>();

  noteEvent({ host, epoch }: Pick<InstanceEvent, 'host' | 'epoch'>): void {
    const before = this.#standings.get(host);
    if (before === undefined || epoch > before.epoch) this.#standings.set(host, { epoch, behind: 0 });
  }

  /** True once the agent itself is known to be behind; from then on its own epoch counts. */
  isBehind({ host, epoch }: Pick<AgentPresence, 'host' | 'epoch'>): boolean {
    const before = this.#standings.get(host);
    if (before === undefined) return false;
    const behind = epoch < before.epoch ? before.behind + 1 : 0;
    const isKnown = behind >= HEARTBEATS_BEHIND;
    this.#standings.set(host, isKnown ? { epoch, behind: 0 } : { ...before, behind });
    return isKnown;
  }
}
