import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type ListenOptions, type Server } from 'node:net';

/** Below are the ports of what is known by its number. */
const FIRST_PORT = 10_000;
const TRIES = 1_000;

/**
 * A TCP port on 127.0.0.1 that nobody else is given before the caller takes it, nor between two runs of what listens there:
 * the kernel hands it out to nobody, and no other test while this process lives.
 */
export async function freePort(): Promise<number> {
  const end = await firstOfKernel();
  for (let tries = 0; tries < TRIES; tries += 1) {
    const port = randomInt(FIRST_PORT, end);
    if (await reserve(port)) return port;
  }
  throw new Error(`found no free port from ${FIRST_PORT} to ${end - 1}`);
}

/** Where the ports begin that the kernel chooses for who does not care, also for each outgoing connection. */
async function firstOfKernel(): Promise<number> {
  const [first] = (await readFile('/proc/sys/net/ipv4/ip_local_port_range', 'utf8')).trim().split(/\s+/);
  // A kernel that chooses from nearly all of them leaves no room: then its own have to do.
  return Math.max(Number(first), FIRST_PORT + 2_000);
}

/** True when nobody listens there, and no other test has asked for it. */
async function reserve(port: number): Promise<boolean> {
  // A socket without a file: it is gone with this process, however that ends.
  const mark = await listen({ path: `\0muster-test-port-${port}` });
  if (mark === undefined) return false;
  mark.unref();
  const server = await listen({ host: '127.0.0.1', port });
  if (server === undefined) return false;
  await once(server.close(), 'close');
  return true;
}

/** `undefined` when somebody else does. */
async function listen(where: ListenOptions): Promise<Server | undefined> {
  const server = createServer().listen(where);
  return await once(server, 'listening').then(
    () => server,
    () => undefined,
  );
}
