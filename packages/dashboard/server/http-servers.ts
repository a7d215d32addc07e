import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { Socket } from 'node:net';

const KEEP_ALIVE_MS = 72_000;

/** The other address that browsers mean by `localhost`. */
const TWINS: Readonly<Record<string, string>> = { '127.0.0.1': '::1', '::1': '127.0.0.1' };

/**
 * The servers behind one app. Each tells of every connection while it accepts it, which Fastify's own second server for
 * `localhost` would not.
 */
export class HttpServers {
  readonly #accepted: (socket: Socket) => void;
  #main: Server | undefined;
  #twin: Server | undefined;
  #handler: RequestListener | undefined;
  #isLocalhostOurs = false;

  constructor(accepted: (socket: Socket) => void) {
    this.#accepted = accepted;
  }

  /** Whether the name `localhost` leads to nobody else on our port. */
  get isLocalhostOurs(): boolean {
    return this.#isLocalhostOurs;
  }

  createMain(handler: RequestListener): Server {
    this.#handler = handler;
    this.#main = this.#create(handler);
    return this.#main;
  }

  /**
   * Takes the same port on the other address of `localhost`, where there is one. Else another account could: its page would
   * be one of `http://localhost:<port>`, which a browser takes for a page of ours once that account gives the port up.
   */
  async takeTwin(): Promise<void> {
    const address = this.#main?.address();
    const host = typeof address === 'object' && address !== null ? TWINS[address.address] : undefined;
    if (typeof address !== 'object' || address === null || host === undefined || this.#handler === undefined) return;
    const twin = this.#create(this.#handler);
    twin.on('upgrade', (...event) => this.#main?.emit('upgrade', ...event));
    try {
      twin.listen({ host, port: address.port });
      await once(twin, 'listening');
      this.#twin = twin;
      this.#isLocalhostOurs = true;
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      // Without IPv6 nobody else has that address either.
      this.#isLocalhostOurs = code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT';
    }
  }

  /** Stops the second server as Fastify does the first: what is under way is answered. Resolves once it has been. */
  async close(): Promise<void> {
    const twin = this.#twin;
    if (twin === undefined || !twin.listening) return;
    const closed = once(twin, 'close');
    twin.close();
    twin.closeIdleConnections();
    await closed;
  }

  #create(handler: RequestListener): Server {
    const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, handler);
    // Node would leave out what comes after the first thousand: among them may be what a proxy added.
    server.maxHeadersCount = 0;
    server.on('connection', this.#accepted);
    return server;
  }
}
