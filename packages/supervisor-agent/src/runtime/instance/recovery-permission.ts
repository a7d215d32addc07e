/**
 * May a service be restarted for its health? The leading prober knows the fleet and grants few slots. When nobody
 * answers, the host decides by itself within a small cap, so that neither a dead prober nor a sick one stops recovery.
 */
import { messageOf, proberCommands } from '@muster/contracts';
import type { Bus } from '@muster/contracts/bus';
import type { Envelopes } from '../../bus/envelopes.ts';
import { EMPTY_CAP, releaseSlot, takeSlot } from '../../core/local-cap.ts';
import type { InstanceKey } from '../../drivers/driver.ts';
import { monotonicNowMs } from '../../host/clock.ts';
import { keyOf } from '../../state/instance-store.ts';
import type { Listener } from '../listener.ts';
import { type Hide, hideByLooks } from '../secrets.ts';
import type { InstanceRunner, Transition } from './instance-runner.ts';

export interface Permission {
  readonly granted: boolean;
  readonly reason: string;
}

/** How long the prober may take to answer. */
const ANSWER_TIMEOUT_MS = 2_000;

export class RecoveryPermission implements Listener {
  readonly #bus: Pick<Bus, 'request' | 'isConnected'>;
  readonly #host: string;
  readonly #envelopes: Envelopes;
  readonly #hide: Hide;
  #cap = EMPTY_CAP;

  constructor(bus: Pick<Bus, 'request' | 'isConnected'>, host: string, envelopes: Envelopes, hide: Hide = hideByLooks) {
    this.#hide = hide;
    this.#bus = bus;
    this.#host = host;
    this.#envelopes = envelopes;
  }

  /** Asks, or decides alone when nobody answers within 2 s. Never rejects. */
  async ask({ service, instance }: InstanceKey, generation: number, reason: string): Promise<Permission> {
    const holder = keyOf(service, instance);
    if (!this.#bus.isConnected) return this.#decideAlone(holder, reason, 'the bus is away');
    const envelope = this.#envelopes.unordered();
    try {
      const reply = await this.#bus.request(
        proberCommands.recover,
        {},
        {
          ...envelope,
          actor: envelope.source,
          host: this.#host,
          service,
          instance,
          generation,
          reason: this.#hide(reason, service),
        },
        { timeoutMs: ANSWER_TIMEOUT_MS },
      );
      const decision = reply.granted ? 'the prober allows a restart' : `the prober refuses a restart: ${reply.reason}`;
      return { granted: reply.granted, reason: `${reason}; ${decision}` };
    } catch (error) {
      return this.#decideAlone(holder, reason, messageOf(error));
    }
  }

  transitioned({ key }: InstanceRunner, { to }: Transition): void {
    const isUpOrDown = to.name !== 'stopping' && (to.name !== 'running' || to.ready === 'yes');
    if (isUpOrDown) this.over(key.service, key.instance);
  }

  /** The instance is up again, or down for good: its place under the local cap is free. */
  over(service: string, instance: number): void {
    this.#cap = releaseSlot(this.#cap, keyOf(service, instance));
  }

  #decideAlone(holder: string, reason: string, why: string): Permission {
    const { cap, isGranted, reason: decision } = takeSlot(this.#cap, holder, monotonicNowMs());
    this.#cap = cap;
    return { granted: isGranted, reason: `${reason}; no prober decides (${why}); ${decision}` };
  }
}
