import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** A real listener on a free port of 127.0.0.1, closed with all its connections when it goes out of scope. */
export interface Listener extends AsyncDisposable {
  readonly port: number;
}

async function listen(server: Server): Promise<Listener> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    const closed = once(server, 'close');
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return { port, [Symbol.asyncDispose]: close };
}

export function listenTcp(onConnection: (socket: Socket) => void): Promise<Listener> {
  return listen(createTcpServer(onConnection));
}

export function listenHttp(handler: RequestListener): Promise<Listener> {
  return listen(createServer(handler));
}

export function listenHttps(certificate: Certificate, handler: RequestListener): Promise<Listener> {
  return listen(createHttpsServer(certificate, handler));
}

/** A port on which nothing listens: it was free a moment ago. */
export async function freePort(): Promise<number> {
  await using listener = await listenTcp(() => undefined);
  return listener.port;
}

export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

/** A self-signed certificate for 127.0.0.1, minted by openssl. */
export async function mintCertificate(): Promise<Certificate> {
  const directory = await mkdtemp(join(tmpdir(), 'muster-cert-'));
  const [keyFile, certFile] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
  try {
    const subject = ['-subj', '/CN=muster-test', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'];
    const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    await promisify(execFile)('openssl', ['req', '-x509', ...newKey, ...subject, '-keyout', keyFile, '-out', certFile]);
    return { key: await readFile(keyFile, 'utf8'), cert: await readFile(certFile, 'utf8') };
  } finally {
    await rm(directory, { recursive: true });
  }
}
