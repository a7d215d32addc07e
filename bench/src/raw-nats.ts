/**
 * The client library bare, without Muster's bus: the peer of the bus layer, and the fast way to fill a stream. The only
 * file of the benchmark that may import it (.oxlintrc.json).
 */

import { startNatsServer } from '@muster/testkit';
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

/** A bare question and a bare answer, over a server of their own. */
export interface RawEcho extends AsyncDisposable {
  ask(count: number): Promise<void>;
}

export async function openRawEcho(): Promise<RawEcho> {
  const server = await startNatsServer();
  const [asker, answerer] = await Promise.all([connect({ servers: server.url }), connect({ servers: server.url })]);
  answerer.subscribe('echo', { callback: (_error, message) => void message.respond(message.data) });
  await answerer.flush();
  const question = new Uint8Array(300);
  return {
    async ask(count) {
      for (let asked = 0; asked < count; asked += 1) await asker.request('echo', question, { timeout: 30_000 });
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([asker.drain(), answerer.drain()]);
      await server[Symbol.asyncDispose]();
    },
  };
}
