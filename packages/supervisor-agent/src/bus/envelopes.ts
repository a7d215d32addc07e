import type { Envelope, OrderedEnvelope } from '@muster/contracts';
import { uuidv7 } from '@muster/contracts/bus';

/** Makes the envelopes of all that this agent says, so that its messages stand in one order. */
export class Envelopes {
  readonly source: string;
  readonly epoch: number;
  #lastSeq = 0;

  constructor(host: string, epoch: number) {
    this.source = `agent/${host}`;
    this.epoch = epoch;
  }

  /** Of the next message in the agent's order. */
  next(): OrderedEnvelope {
    this.#lastSeq += 1;
    return { ...this.unordered(), epoch: this.epoch, seq: this.#lastSeq };
  }

  /** Of a message that has no place in the order, such as a reply. */
  unordered(): Envelope {
    return { id: uuidv7(), time: new Date().toISOString(), source: this.source };
  }
}
