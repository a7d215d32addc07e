/*
 * Many hosts in one process, each with a connection of its own, as real agents have: what a broker spends on a message
 * depends on whether it comes alone. They speak the protocol themselves (one line and one payload for a message): ten
 * thousand instances of the client library would measure that instead.
 *
 * Usage: simulated-hosts.js PORT HOSTS SERVICES. Over IPC it says `connected`, hears `{ factor }` (how many times faster
 * than a real host), and says every second how many messages and bytes it has sent and how late it is.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import {
  buildFilter,
  buildSubject,
  commands,
  type OrderedEnvelope,
  PRESENCE_INTERVAL_MS,
  rows,
} from '@muster/contracts';
import { uuidv7 } from '@muster/contracts/bus';
import { hostName, messagesOf } from './messages.ts';

export interface HostsReport {
  readonly type: 'sent';
  readonly messages: number;
  readonly bytes: number;
  /** The latest of the last second's messages. */
  readonly lateMs: number;
}

const ENVIRONMENT = 'bench';
const METRICS_INTERVAL_MS = 10_000;
const JITTER = 0.25;
/** So many connections are made at once: a server's backlog has an end. */
const CONNECT_BATCH = 100;
const REPORT_EVERY_MS = 1_000;

const [port = 0, hosts = 0, services = 0] = process.argv.slice(2).map(Number);
const sent = { messages: 0, bytes: 0, lateMs: 0 };
let factor = 0;

class SimulatedHost {
  readonly #host: string;
  readonly #socket: Socket;
  #seq = 0;

  constructor(host: string) {
    this.#host = host;
    this.#socket = connect(port, '127.0.0.1').setNoDelay(true);
  }

  async connected(): Promise<void> {
    await once(this.#socket, 'data');
    const filter = buildFilter(ENVIRONMENT, commands.status.template, { host: this.#host });
    const hello = { verbose: false, pedantic: false, lang: 'bench', version: '1', protocol: 1 };
    this.#socket.write(`CONNECT ${JSON.stringify(hello)}\r\nSUB ${filter} 1\r\nPING\r\n`);
    await once(this.#socket, 'data');
    this.#socket.on('data', (data) => {
      if (data.includes('PING')) this.#socket.write('PONG\r\n');
    });
  }

  begin(): void {
    const { presence, metrics } = messagesOf(this.#host, services);
    const params = { host: this.#host };
    this.#repeat(buildSubject(ENVIRONMENT, rows.hostPresence.template, params), presence, PRESENCE_INTERVAL_MS);
    this.#repeat(buildSubject(ENVIRONMENT, rows.hostMetrics.template, params), metrics, METRICS_INTERVAL_MS);
  }

  /** From a random moment on, so that they don't beat as one. */
  #repeat(subject: string, message: OrderedEnvelope, intervalMs: number): void {
    const next = (share: number): void => {
      const waitMs = (intervalMs * share) / factor;
      const dueAtMs = performance.now() + waitMs;
      setTimeout(() => {
        sent.lateMs = Math.max(sent.lateMs, performance.now() - dueAtMs);
        this.#publish(subject, { ...message, id: uuidv7(), time: new Date().toISOString(), seq: ++this.#seq });
        next(1 + JITTER * (Math.random() - 0.5) * 2);
      }, waitMs);
    };
    next(Math.random());
  }

  #publish(subject: string, message: OrderedEnvelope): void {
    const payload = JSON.stringify(message);
    this.#socket.write(`PUB ${subject} ${Buffer.byteLength(payload)}\r\n${payload}\r\n`);
    sent.messages += 1;
    sent.bytes += payload.length;
  }
}

const all: SimulatedHost[] = [];
for (let index = 0; index < hosts; index += CONNECT_BATCH) {
  const names = Array.from({ length: Math.min(CONNECT_BATCH, hosts - index) }, (_, of) => hostName(index + of));
  const batch = names.map((name) => new SimulatedHost(name));
  await Promise.all(batch.map((host) => host.connected()));
  all.push(...batch);
  await delay(0);
}
process.on('message', (message: { readonly factor: number }) => {
  const isFirst = factor === 0;
  factor = message.factor;
  if (isFirst) for (const host of all) host.begin();
});
process.on('disconnect', () => process.exit());
process.send?.({ type: 'connected' });
setInterval(() => {
  process.send?.({ type: 'sent', ...sent } satisfies HostsReport);
  sent.lateMs = 0;
}, REPORT_EVERY_MS);
