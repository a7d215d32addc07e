import { type ComponentEvent, rows } from '@muster/contracts';
import type { Outbox } from '@muster/contracts/bus';
import type { Envelopes } from '../../bus/envelopes.ts';
import type { Listener } from '../listener.ts';
import { type Hide, hideByLooks } from '../secrets.ts';
import { shortenedReason } from './shortened-reason.ts';

/** Journals what happens to the agent itself, as events of its host. */
export class HostEvents implements Listener {
  readonly #host: string;
  readonly #envelopes: Envelopes;
  readonly #outbox: Pick<Outbox, 'append'>;
  readonly #hide: Hide;

  constructor(host: string, envelopes: Envelopes, outbox: Pick<Outbox, 'append'>, hide: Hide = hideByLooks) {
    this.#hide = hide;
    this.#host = host;
    this.#envelopes = envelopes;
    this.#outbox = outbox;
  }

  connection(isConnected: boolean, reason: string): void {
    this.announce(isConnected ? 'bus-connected' : 'bus-lost', reason);
  }

  /** `lost` counts the events that a gap swallowed. */
  announce(kind: ComponentEvent['kind'], reason: string, lost?: number): void {
    const event: ComponentEvent = {
      ...this.#envelopes.next(),
      kind,
      reason: shortenedReason(this.#hide(reason)),
      causes: [],
      ...(lost !== undefined && { lost }),
    };
    this.#outbox.append(rows.hostEvent, { host: this.#host }, event);
  }
}
