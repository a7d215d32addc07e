import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { asRequestError, RequestError } from '../errors.ts';
import { SECURITY_HEADERS } from '../headers.ts';
import type { Hub, Peer, Resume } from './hub.ts';

export const WS_PATH = '/ws';
/** Any: a request names its path only. */
const ORIGIN = 'http://localhost';

/** The page sends nothing; a resume position travels in the address. */
const MAX_PAYLOAD_BYTES = 1_024;

/** More than any team opens; a leak of sockets ends here. */
const MAX_VIEWERS = 500;

/** 1003: the endpoint got data it can't accept. */
const CLOSE_UNSUPPORTED = 1003;

export interface WebSocketOptions {
  readonly hub: Hub;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Names who asks, before the handshake. Rejects with a RequestError for whoever may not look. */
  readonly admit: (request: IncomingMessage) => Promise<string>;
}

/** Serves `/ws` on `server`. Returns how to end it. */
export function serveWebSockets(server: Server, { hub, now, admit }: WebSocketOptions): () => void {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_PAYLOAD_BYTES, perMessageDeflate: false });
  const onUpgrade = async (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // Until `ws` takes over, an error of the raw socket has no other listener and would end the process.
    const ignore = () => socket.destroy();
    socket.on('error', ignore);
    try {
      const actor = await admit(request);
      const resume = checkUpgrade(request, hub);
      sockets.handleUpgrade(request, socket, head, (client) => {
        socket.off('error', ignore);
        attach(client, hub, { actor, resume, nowMs: now() });
      });
    } catch (error) {
      refuse(socket, asRequestError(error));
    }
  };
  const listener = (...event: Parameters<typeof onUpgrade>) => void onUpgrade(...event);
  server.on('upgrade', listener);
  return () => {
    server.off('upgrade', listener);
    hub.close();
    sockets.close();
  };
}

function checkUpgrade(request: IncomingMessage, hub: Hub): Resume | undefined {
  const { url: asked = '/' } = request;
  if (!URL.canParse(asked, ORIGIN)) throw new RequestError('bad-request', 'the address cannot be read');
  const url = new URL(asked, ORIGIN);
  if (url.pathname !== WS_PATH)
    throw new RequestError('not-found', `there is no socket at '${url.pathname}': use ${WS_PATH}`);
  if (hub.viewers >= MAX_VIEWERS)
    throw new RequestError('too-many-viewers', `${MAX_VIEWERS} pages are open already: close some`);
  const [epoch, seq] = [url.searchParams.get('epoch'), url.searchParams.get('seq')].map(wholeNumber);
  return epoch === undefined || seq === undefined ? undefined : { epoch, seq };
}

function wholeNumber(text: string | null): number | undefined {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

interface Viewer {
  readonly actor: string;
  readonly resume: Resume | undefined;
  readonly nowMs: number;
}

function attach(client: WebSocket, hub: Hub, { actor, resume, nowMs }: Viewer): void {
  const peer: Peer = {
    actor,
    get bufferedBytes() {
      return client.bufferedAmount;
    },
    send: (text) => client.send(text),
    ping: () => client.ping(),
    terminate: () => client.terminate(),
  };
  // `ws` closes the socket itself after an error; without a listener the error would end the process.
  client.on('error', () => client.terminate());
  const session = hub.join(peer, resume, nowMs);
  client.on('pong', () => session.pong());
  client.on('message', () => client.close(CLOSE_UNSUPPORTED, 'this socket only sends'));
  client.on('close', () => session.leave());
}

function refuse(socket: Duplex, error: RequestError): void {
  const body = JSON.stringify(error.body);
  const headers = { ...SECURITY_HEADERS, 'content-type': 'application/json; charset=utf-8', connection: 'close' };
  const head = Object.entries({ ...headers, 'content-length': Buffer.byteLength(body) }).map(([k, v]) => `${k}: ${v}`);
  // A caller that never closes its own end would keep the socket for ever.
  socket.once('finish', () => socket.destroy());
  socket.end(`HTTP/1.1 ${error.status} Refused\r\n${head.join('\r\n')}\r\n\r\n${body}`);
}
