import { type ComponentEvent, rows } from '@muster/contracts';
import { type NatsBus, uuidv7, WrongLastSequenceError } from '@muster/contracts/bus';

const MAX_REASON_CHARS = 1_000;

/** The events of the bus itself, which a guard publishes. */
export class GuardEvents {
  readonly #bus: NatsBus;
  readonly #epoch = Math.floor(Date.now() / 1_000);
  #seq = 0;
  #lastSeq = 0;

  constructor(bus: NatsBus) {
    this.#bus = bus;
  }

  /** `host`: which one it is about. */
  async publish(kind: ComponentEvent['kind'], reason: string, host?: string): Promise<void> {
    this.#seq += 1;
    const event: ComponentEvent = {
      id: uuidv7(),
      time: new Date().toISOString(),
      source: `${this.#bus.role}/${this.#bus.id}`,
      epoch: this.#epoch,
      seq: this.#seq,
      kind,
      reason: reason.slice(0, MAX_REASON_CHARS),
      causes: [],
      ...(host !== undefined && { host }),
    };
    await this.#store(event).catch(async (error: unknown) => {
      // Another guard was first: this one goes on from where that one was.
      if (!(error instanceof WrongLastSequenceError)) throw error;
      this.#lastSeq = error.actual;
      await this.#store(event);
    });
  }

  async #store(event: ComponentEvent): Promise<void> {
    const options = { expectedLastSeq: this.#lastSeq, messageId: event.id };
    this.#lastSeq = (await this.#bus.publishOrdered(rows.busEvent, {}, event, options)).seq;
  }
}
