import { LOOK_EVERY_MS } from '@muster/contracts';
import type { FleetClient } from '@muster/contracts/client';

export interface HostWatchOptions {
  readonly fleet: FleetClient;
  /** When it begins (the ms of silence so far) and when it ends (0); also when a host is heard for the first time. */
  readonly onSilence: (host: string, silentMs: number, lastHeartbeatId: string | undefined) => void;
}

/** Says which hosts fall silent and which are back. */
export class HostWatch {
  readonly #options: HostWatchOptions;
  readonly #stopListening: () => void;
  readonly #timer: NodeJS.Timeout;
  /** What was last said of each host. */
  readonly #isGone = new Map<string, boolean>();
  /** Taken away: not missed until they are heard again. */
  readonly #forgotten = new Set<string>();

  constructor(options: HostWatchOptions) {
    this.#options = options;
    const { fleet } = options;
    this.#stopListening = fleet.onChange((change) => {
      if (change.kind === 'host-presence') {
        this.#forgotten.delete(change.heartbeat.host);
        this.#look(change.heartbeat.host);
      } else if (change.kind === 'host-forgotten') {
        this.#isGone.delete(change.host);
        this.#forgotten.add(change.host);
      }
    });
    this.#timer = setInterval(() => {
      for (const host of fleet.hosts()) this.#look(host);
    }, LOOK_EVERY_MS);
  }

  isGone(host: string): boolean {
    return this.#isGone.get(host) ?? false;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#stopListening();
  }

  #look(host: string): void {
    const { fleet, onSilence } = this.#options;
    const { state, silentForMs, heartbeat } = fleet.host(host);
    if (this.#forgotten.has(host) || (state !== 'heard' && state !== 'silent')) return;
    const isGone = state === 'silent';
    if (this.#isGone.get(host) === isGone) return;
    this.#isGone.set(host, isGone);
    onSilence(host, silentForMs, heartbeat?.id);
  }
}
