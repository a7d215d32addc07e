import { once } from 'node:events';
import { connect, createServer, type NetConnectOpts, type Server, type Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from './free-port.ts';

export async function startTcpFaults(upstream: NetConnectOpts): Promise<TcpFaults> {
  const faults = new TcpFaults(upstream, await freePort());
  await faults.heal();
  return faults;
}

/**
 * A TCP connection's bad days, in user space: whoever connects to `port` is passed on to the real listener, until the test
 * says otherwise. Needs no rights. What belongs to a whole host or a switch is in `test-network.ts`.
 */
export class TcpFaults implements AsyncDisposable {
  readonly #upstream: NetConnectOpts;
  readonly #clients = new Set<Socket>();
  /** On 127.0.0.1. */
  readonly port: number;
  #server: Server | undefined;
  #delayMs = 0;
  /** Settles when a stall is over; `undefined` while there is none. */
  #stalled: { readonly over: Promise<void>; readonly end: () => void } | undefined;

  constructor(upstream: NetConnectOpts, port: number) {
    this.#upstream = upstream;
    this.port = port;
  }

  /** How many connections are passed on now. */
  get connections(): number {
    return this.#clients.size;
  }

  /** Ends all of it, but the delay. */
  async heal(): Promise<void> {
    this.#stalled?.end();
    this.#stalled = undefined;
    if (this.#server !== undefined) return;
    const server = createServer((client) => this.#pass(client));
    this.#server = server;
    await once(server.listen(this.port, '127.0.0.1'), 'listening');
  }

  /** Resets every connection and refuses new ones. */
  async cut(): Promise<void> {
    this.#stalled?.end();
    this.#stalled = undefined;
    const server = this.#server;
    this.#server = undefined;
    const closed = server === undefined ? undefined : once(server.close(), 'close');
    for (const client of this.#clients) client.resetAndDestroy();
    await closed;
  }

  /**
   * Half-open: connections stay, and new ones are accepted, but nothing passes in either direction. What was sent
   * meanwhile arrives once it heals.
   */
  stall(): void {
    if (this.#stalled !== undefined) return;
    let end = (): void => {};
    const over = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.#stalled = { over, end };
  }

  /** Each piece arrives so much later, in order; 0 ends it. */
  delay(delayMs: number): void {
    this.#delayMs = delayMs;
  }

  #pass(client: Socket): void {
    const server = connect(this.#upstream);
    this.#clients.add(client);
    client.once('close', () => this.#clients.delete(client));
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      one.setNoDelay(true);
      // The end of one side is the end of both; why does not matter here.
      one.on('error', () => {});
      one.once('close', () => other.destroy());
      void this.#pump(one, other);
    }
  }

  /** In order. While stalled nothing more is read, so it piles up at the sender as on a real wire. */
  async #pump(from: Readable, to: Writable): Promise<void> {
    let sent = Promise.resolve();
    try {
      for await (const piece of from) {
        await this.#passable();
        const dueAtMs = performance.now() + this.#delayMs;
        // Pieces wait side by side: a slow link is late, not narrow.
        sent = sent.then(async () => {
          await until(dueAtMs);
          await this.#passable();
          if (!to.destroyed) to.write(piece);
        });
      }
      await sent;
      to.end();
    } catch {
      // It was cut.
    }
  }

  async #passable(): Promise<void> {
    while (this.#stalled !== undefined) await this.#stalled.over;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cut();
  }
}

/** A timer may fire a fraction early, and a piece must not arrive so. */
async function until(dueAtMs: number): Promise<void> {
  for (;;) {
    const waitMs = dueAtMs - performance.now();
    if (waitMs <= 0) return;
    await delay(Math.ceil(waitMs));
  }
}
