/**
 * The client library bare, without Muster's bus: the peer of the bus layer, and the fast way to fill a stream. The only
 * file of the benchmark that may import it (.oxlintrc.json).
 */
import { jetstream } from '@nats-io/jetstream';
import { connect, headers } from '@nats-io/transport-node';

export interface RawNats extends AsyncDisposable {
  /** Into a stream; settles when it is stored. */
  store(subject: string, payload: Uint8Array): Promise<void>;
  /** Into a stream, without waiting. */
  send(subject: string, payload: Uint8Array, encoding: string): void;
  /** The server has seen all that was sent. */
  flush(): Promise<void>;
}

export async function openRawNats(url: string, encodingHeader: string): Promise<RawNats> {
  const connection = await connect({ servers: url });
  const stream = jetstream(connection);
  return {
    async store(subject, payload) {
      await stream.publish(subject, payload);
    },
    send(subject, payload, encoding) {
      const own = headers();
      own.set(encodingHeader, encoding);
      connection.publish(subject, payload, { headers: own });
    },
    flush: () => connection.flush(),
    [Symbol.asyncDispose]: () => connection.drain(),
  };
}
