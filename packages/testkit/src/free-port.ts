import { once } from 'node:events';
import { createServer, type ListenOptions, type Server } from 'node:net';

/** Below what the kernel gives to those who ask for any port, and to whoever connects: it gives away none of these. */
const FIRST_PORT = 20_000;
const LAST_PORT = 31_999;
const TRIES = 1_000;

/**
 * A TCP port on 127.0.0.1 that was free a moment ago. Nobody else who asks here is given the same one while this process
 * lives, whatever its own server does meanwhile: it may start late, and start again.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT + 1));
    const mark = await listen({ path: markOf(port) });
    if (mark === undefined) continue;
    const server = await listen({ host: '127.0.0.1', port });
    if (server !== undefined) {
      await close(server);
      // Gone with this process, however it ends.
      mark.unref();
      return port;
    }
    await close(mark);
  }
  throw new Error(`cannot find a free port from ${FIRST_PORT} to ${LAST_PORT} in ${TRIES} tries`);
}

/** A socket in the abstract namespace: it has a name, and no file. */
function markOf(port: number): string {
  return `\0muster-test-port-${port}`;
}

/** `undefined` when somebody else does. */
async function listen(options: ListenOptions): Promise<Server | undefined> {
  const server = createServer().listen(options);
  try {
    await once(server, 'listening');
    return server;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return undefined;
    throw error;
  }
}

async function close(server: Server): Promise<void> {
  server.close();
  await once(server, 'close');
}
