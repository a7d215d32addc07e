import { type LogBatch, MAX_MESSAGE_BYTES } from '@muster/contracts';
import {
  type Bus,
  BusAwayError,
  NoStreamError,
  RequestTimeoutError,
  WrongLastSequenceError,
} from '@muster/contracts/bus';

/** What happens to a message on its way. */
export type Fault = 'none' | 'away' | 'no-stream' | 'lost-before' | 'lost-after' | 'killed-before' | 'killed-after';

/** The agent died here. */
export class Killed extends Error {}

/** A stream of one subject of logs, as the server keeps it, that loses what it is told to lose. */
export class MemoryStream implements Pick<Bus, 'publishOrdered' | 'isConnected' | 'connectedSinceMs'> {
  readonly isConnected = true;
  readonly connectedSinceMs = 0;
  readonly batches: LogBatch[] = [];
  /** What happens to the next messages. */
  readonly faults: Fault[] = [];
  readonly #ids = new Map<string, number>();

  /** As after the duplicate window. */
  forgetIds(): void {
    this.#ids.clear();
  }

  publishOrdered: Bus['publishOrdered'] = async (row, _params, message, { expectedLastSeq, messageId }) => {
    const bytes = Buffer.byteLength(JSON.stringify(row.schema.parse(message)));
    if (bytes > MAX_MESSAGE_BYTES) throw new Error(`${bytes} bytes are no message`);
    const fault = this.faults.shift() ?? 'none';
    if (fault === 'killed-before') throw new Killed();
    if (fault === 'away') throw new BusAwayError('log', false);
    if (fault === 'no-stream') throw new NoStreamError('log');
    if (fault === 'lost-before') throw new RequestTimeoutError('log', 1);
    const known = messageId === undefined ? undefined : this.#ids.get(messageId);
    const actual = this.batches.length;
    if (known === undefined && expectedLastSeq !== undefined && expectedLastSeq !== actual)
      throw new WrongLastSequenceError('log', expectedLastSeq, actual);
    if (known === undefined) this.batches.push(message as unknown as LogBatch);
    if (messageId !== undefined) this.#ids.set(messageId, this.batches.length);
    if (fault === 'killed-after') throw new Killed();
    if (fault === 'lost-after') throw new BusAwayError('log', true);
    return { seq: known ?? this.batches.length };
  };
}
