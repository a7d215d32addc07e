/*
 * A connection that counts only while its gate is open. All that a bus does goes through its connection, so to whoever uses
 * the bus behind a gate that is shut it is away: nothing is published, asked, stored or heard, whatever methods a bus may get.
 */
import type { Msg } from '@nats-io/transport-node';
import type { ConnectionEvent, Subscription } from './bus.ts';
import type { Connection, SubscribeOptions } from './connection.ts';

/** What a bus needs of its connection. */
export type Link = Pick<
  Connection,
  'client' | 'sinceMs' | 'connected' | 'onConnection' | 'onDenied' | 'subscribe' | 'close'
>;

/** A subscription as asked for; `live` while the gate is open. */
interface Wanted {
  readonly attach: () => Subscription;
  live: Subscription | undefined;
}

/** Shut until it is opened. Who opens it must shut it when the connection is lost. */
export class Gate implements Link {
  readonly #link: Link;
  readonly #wanted = new Set<Wanted>();
  readonly #listeners = new Set<(event: ConnectionEvent) => void>();
  #isOpen = false;

  constructor(link: Link) {
    this.#link = link;
  }

  open(reason: string): void {
    this.#isOpen = true;
    for (const wanted of this.#wanted) wanted.live = wanted.attach();
    this.#tell({ connected: true, reason });
  }

  shut(reason: string): void {
    this.#isOpen = false;
    for (const { live } of this.#wanted) live?.stop();
    this.#tell({ connected: false, reason });
  }

  get client(): Link['client'] {
    return this.#isOpen ? this.#link.client : undefined;
  }

  get sinceMs(): number | undefined {
    return this.#isOpen ? this.#link.sinceMs : undefined;
  }

  async connected(signal?: AbortSignal): Promise<void> {
    if (this.client !== undefined) return;
    signal?.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const onAbort = () => {
        stop();
        reject(signal?.reason);
      };
      const stop = this.onConnection(({ connected }) => {
        if (!connected) return;
        stop();
        signal?.removeEventListener('abort', onAbort);
        resolve();
      });
      signal?.addEventListener('abort', onAbort);
    });
  }

  onConnection(listener: (event: ConnectionEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onDenied(listener: (subject: string) => void): void {
    this.#link.onDenied(listener);
  }

  subscribe(filter: string, handler: (message: Msg) => void, options?: SubscribeOptions): Subscription {
    const wanted: Wanted = { attach: () => this.#link.subscribe(filter, handler, options), live: undefined };
    this.#wanted.add(wanted);
    if (this.#isOpen) wanted.live = wanted.attach();
    return {
      stop: () => {
        this.#wanted.delete(wanted);
        wanted.live?.stop();
      },
    };
  }

  close(): Promise<void> {
    return this.#link.close();
  }

  #tell(event: ConnectionEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}
