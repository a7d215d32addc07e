import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Role, type rows, type StreamName, streamName } from '@muster/contracts';
import { setupBus } from '@muster/contracts/admin';
import { type NatsBus, openBus } from '@muster/contracts/bus';
import { type NatsServer, startNatsServer } from '@muster/testkit';
import { eventOf } from './bench-messages.ts';

export const BENCH_ENVIRONMENT = 'bench';

/** A real nats-server with Muster's streams and buckets, on a disk of its own; no keys. */
export interface BenchBus extends AsyncDisposable {
  readonly server: NatsServer;
  readonly admin: NatsBus;
  /** A place for files, gone with the rest. */
  readonly directory: string;
  open(role: Role, id: string): Promise<NatsBus>;
  /** What the server itself says it keeps of a stream. */
  stored(stream: StreamName): Promise<{ readonly messages: number; readonly bytes: number }>;
}

export async function startBenchBus(signal: AbortSignal): Promise<BenchBus> {
  const directory = mkdtempSync(path.join(tmpdir(), 'muster-bench-bus-'));
  const server = await startNatsServer({ storeDir: path.join(directory, 'jetstream') });
  const open = async (role: Role, id: string) => {
    const bus = openBus({ servers: server.url, environment: BENCH_ENVIRONMENT, role, id });
    await bus.connected(signal);
    return bus;
  };
  const admin = await open('admin', 'bench');
  await setupBus(admin);
  return {
    server,
    admin,
    directory,
    open,
    async stored(stream) {
      const call = `STREAM.INFO.${streamName(BENCH_ENVIRONMENT, stream)}`;
      return (await admin.callJetStream<{ state: { messages: number; bytes: number } }>(call)).state;
    },
    async [Symbol.asyncDispose]() {
      await admin.drain();
      await server[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Runs `work` for each item, so many at once. */
export async function inParallel<T>(
  items: Iterable<T>,
  atOnce: number,
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  const iterator = items[Symbol.iterator]();
  const worker = async () => {
    for (let next = iterator.next(); !next.done; next = iterator.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** So many events, each stored behind the one before it on its subject; all subjects at once. */
export async function publishInOrder(
  bus: NatsBus,
  { row, count, services, host, reason, lastSeq }: OrderedEvents,
): Promise<void> {
  // Made once: minting ids is the sender's work, and takes as long as all the rest.
  const events = services.map((service) => eventOf(host, service, 1, reason));
  await inParallel(events, events.length, async (event) => {
    const params = { host, service: event.service, instance: 0 };
    for (let sent = 0; sent < count / events.length; sent += 1) {
      const options = { expectedLastSeq: lastSeq.get(event.service) ?? 0 };
      const { seq } = await bus.publishOrdered(row, params, event, options);
      lastSeq.set(event.service, seq);
    }
  });
}

export interface OrderedEvents {
  /** Of the checkout that the bus belongs to. */
  readonly row: typeof rows.instanceEvent;
  readonly count: number;
  readonly services: readonly string[];
  readonly host: string;
  readonly reason: string;
  /** Of each service, kept from one call to the next. */
  readonly lastSeq: Map<string, number>;
}
