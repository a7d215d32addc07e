/*
 * Reads one stream in order: what is there, then what comes.
 *
 * An ephemeral push consumer without acknowledgements. The server numbers its deliveries, so a missing one shows; it
 * heartbeats while there is nothing to deliver, so silence shows too. Either ends the reader with `onLost`: whoever reads
 * begins again, from scratch or from the last sequence, as fits.
 */
import type { ConsumerConfig } from '@nats-io/jetstream';
import { type Msg, nuid } from '@nats-io/transport-node';
import type { Subscription } from './bus.ts';
import type { Link } from './gate.ts';
import type { Inbox } from './inbox.ts';
import { callJetStream } from './jetstream-api.ts';
import { matchesFilter } from './matches-filter.ts';

const NANOS_PER_MS = 1_000_000;
const HEARTBEAT_MS = 5_000;
const SILENCE_MS = 3 * HEARTBEAT_MS;
/** The server forgets the consumer when nobody has listened for so long. */
const INACTIVE_MS = 30_000;

export interface Delivery {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: Msg['headers'];
  readonly seq: number;
  readonly time: Date;
}

export interface ReaderOptions {
  readonly stream: string;
  readonly filter: string;
  readonly from: Pick<ConsumerConfig, 'deliver_policy' | 'opt_start_seq' | 'opt_start_time'>;
  onDelivery(delivery: Delivery): void;
  /** Asked whenever the server wants to know whether it may go on: while true it does not, until `goOn`. */
  isFull?(): boolean;
  /** All that was stored when the reader began has been delivered. */
  onCaughtUp(): void;
  /** It ended, and not by `stop`. Called once. */
  onLost(error: Error): void;
}

/** Where the deliveries of one reader go. */
export interface ReaderDependencies {
  readonly connection: Link;
  readonly inbox: Inbox;
  /** This identity's own inbox prefix. */
  readonly prefix: string;
}

/** A reader at work. */
export interface Reader extends Subscription {
  /** There is room again. */
  goOn(): void;
}

export function readStream(dependencies: ReaderDependencies, options: ReaderOptions): Reader {
  return new StreamReader(dependencies, options);
}

class StreamReader implements Reader {
  readonly #connection: Link;
  readonly #options: ReaderOptions;
  readonly #deliverSubject: string;
  readonly #subscription: Subscription;
  readonly #stopListening: () => void;
  readonly #watchdog: NodeJS.Timeout;
  #heardMs = performance.now();
  #delivered = 0;
  /** How many were stored when it began; known once the consumer exists. */
  #initial: number | undefined;
  #isCaughtUp = false;
  /** Where the server waits for the word that it may go on. */
  #owedTo: string | undefined;
  #hasEnded = false;

  constructor({ connection, inbox, prefix }: ReaderDependencies, options: ReaderOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#deliverSubject = `${prefix}.deliver.${nuid.next()}`;
    this.#subscription = connection.subscribe(this.#deliverSubject, (message) => this.#onMessage(message), {
      accepts: (message) => this.#accepts(message),
    });
    this.#stopListening = connection.onConnection(() => this.#lose(new Error('the connection was lost')));
    this.#watchdog = setInterval(() => {
      if (performance.now() - this.#heardMs > SILENCE_MS) this.#lose(new Error(`silent for ${SILENCE_MS} ms`));
    }, HEARTBEAT_MS);
    void this.#create(inbox);
  }

  stop(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    clearInterval(this.#watchdog);
    this.#stopListening();
    this.#subscription.stop();
  }

  goOn(): void {
    if (this.#owedTo === undefined || this.#hasEnded) return;
    this.#connection.client?.publish(this.#owedTo);
    this.#owedTo = undefined;
  }

  async #create(inbox: Inbox): Promise<void> {
    const { stream, filter, from } = this.#options;
    const config = {
      ...from,
      filter_subject: filter,
      deliver_subject: this.#deliverSubject,
      ack_policy: 'none',
      replay_policy: 'instant',
      max_deliver: 1,
      flow_control: true,
      idle_heartbeat: HEARTBEAT_MS * NANOS_PER_MS,
      inactive_threshold: INACTIVE_MS * NANOS_PER_MS,
      mem_storage: true,
      num_replicas: 1,
    };
    try {
      const info = await callJetStream<{ num_pending: number }>(inbox, `CONSUMER.CREATE.${stream}`, {
        stream_name: stream,
        config,
      });
      this.#initial = info.num_pending;
      this.#checkCaughtUp(undefined);
    } catch (error) {
      this.#lose(error as Error);
    }
  }

  #accepts(message: Msg): boolean {
    // The server's own words have a status; anything else on this subject is somebody else's.
    if (message.subject === this.#deliverSubject) return (message.headers?.code ?? 0) > 0;
    return (
      matchesFilter(this.#options.filter, message.subject) && deliveryOf(message, this.#options.stream) !== undefined
    );
  }

  #onMessage(message: Msg): void {
    if (this.#hasEnded) return;
    this.#heardMs = performance.now();
    if (message.subject === this.#deliverSubject) this.#onStatus(message);
    else this.#onDelivery(message);
  }

  #onDelivery(message: Msg): void {
    const delivery = deliveryOf(message, this.#options.stream);
    if (delivery === undefined) return;
    if (delivery.deliverySeq !== this.#delivered + 1) {
      this.#lose(new Error(`delivery ${this.#delivered + 1} is missing`));
      return;
    }
    this.#delivered = delivery.deliverySeq;
    this.#options.onDelivery(delivery);
    this.#checkCaughtUp(delivery.pending);
  }

  #checkCaughtUp(pending: number | undefined): void {
    if (this.#isCaughtUp || this.#hasEnded || this.#initial === undefined) return;
    if (pending !== 0 && this.#delivered < this.#initial) return;
    this.#isCaughtUp = true;
    this.#options.onCaughtUp();
  }

  /** Heartbeats and flow control: answered, so that the server goes on. */
  #onStatus(message: Msg): void {
    if (message.headers?.code !== 100) {
      this.#lose(new Error(`the server ended it: ${message.headers?.description ?? 'no reason given'}`));
      return;
    }
    const stalled = message.headers.get('Nats-Consumer-Stalled');
    const answerTo = message.reply || stalled;
    if (answerTo?.startsWith('$JS.FC.')) {
      this.#owedTo = answerTo;
      if (this.#options.isFull?.() !== true) this.goOn();
    }
    const last = message.headers.get('Nats-Last-Consumer');
    if (last !== '' && Number(last) > this.#delivered) this.#lose(new Error(`delivery ${last} is missing`));
  }

  #lose(error: Error): void {
    if (this.#hasEnded) return;
    this.stop();
    this.#options.onLost(error);
  }
}

/**
 * What the server says about a delivery in its reply subject, which ends in
 * `<stream>.<consumer>.<delivered>.<stream seq>.<delivery seq>.<nanoseconds>.<pending>`; newer servers put a domain and
 * an account before, and a random token behind.
 */
export function deliveryOf(
  message: Msg,
  stream: string,
): (Delivery & { readonly deliverySeq: number; readonly pending: number }) | undefined {
  const tokens = message.reply?.split('.') ?? [];
  if (tokens[0] !== '$JS' || tokens[1] !== 'ACK') return undefined;
  const at = tokens.length === 9 ? 2 : 4;
  if (tokens[at] !== stream) return undefined;
  const [seq, deliverySeq, nanos, pending] = tokens.slice(at + 3, at + 7).map(Number);
  if (seq === undefined || deliverySeq === undefined || nanos === undefined || pending === undefined) return undefined;
  const { subject, data, headers } = message;
  return { subject, data, headers, seq, deliverySeq, pending, time: new Date(nanos / NANOS_PER_MS) };
}
