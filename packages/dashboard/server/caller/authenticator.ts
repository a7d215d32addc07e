import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { authenticate, type Caller, checkRight, type Owners } from './caller.ts';
import { Peers, type ReadTables } from './peers.ts';
import type { Right } from './rights.ts';

export interface AuthenticatorOptions {
  readonly owners: Owners;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Told of a refusal, at most one in ten seconds, with how many were not told since the last one. */
  readonly onRefused: (why: string, untold: number) => void;
  readonly readTables?: ReadTables | undefined;
}

/** Whoever is refused may ask again as often as the machine allows, and must not fill the log. */
const TELL_INTERVAL_MS = 10_000;

/** Names the caller of each request and each socket, and refuses those who may not. */
export class Authenticator {
  readonly #options: AuthenticatorOptions;
  readonly #peers: Peers;
  #toldAtMs = Number.NEGATIVE_INFINITY;
  #untold = 0;

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
    this.#peers = new Peers(options.readTables);
  }

  /** Call it while the connection is accepted. */
  accepted(socket: Socket): void {
    this.#peers.accepted(socket);
  }

  async callerOf({ headers, socket }: IncomingMessage): Promise<Caller> {
    return authenticate(headers, await this.#peers.accountOf(socket), this.#options.owners);
  }

  /** @throws RequestError `not-an-owner` */
  check(caller: Caller, right: Right): void {
    try {
      checkRight(caller, right);
    } catch (error) {
      this.#tell((error as Error).message);
      throw error;
    }
  }

  #tell(why: string): void {
    const nowMs = this.#options.now();
    if (nowMs - this.#toldAtMs < TELL_INTERVAL_MS) {
      this.#untold += 1;
      return;
    }
    this.#options.onRefused(why, this.#untold);
    this.#toldAtMs = nowMs;
    this.#untold = 0;
  }
}
