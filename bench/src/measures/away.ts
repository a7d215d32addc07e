import { mkdtempSync } from 'node:fs';
import path from 'node:path';
import { rows } from '@muster/contracts';
import { Outbox } from '@muster/contracts/bus';
import { type BenchBus, startBenchBus } from '../bench-bus.ts';
import { eventOf } from '../bench-messages.ts';
import { atMost } from '../finding.ts';
import type { Measure } from '../measure.ts';
import { waitUntil } from '../wait-until.ts';

const HOST = 'bench';
const SERVICES = 20;
/** Ten minutes with 20 events a second. */
const EVENTS = 12_000;
const GOAL_SECONDS = 10;

export const away: Measure = {
  name: 'away',
  includes:
    'nats-server killed; as many events journaled as ten minutes bring at 20 a second, then the outbox closed and opened as by another agent; from the start of nats-server until every event is in its stream; then read back: how many are missing, twice or out of order',
  async run({ isQuick, signal, say }) {
    const events = isQuick ? EVENTS / 10 : EVENTS;
    await using bus = await startBenchBus(signal);
    const directory = mkdtempSync(path.join(bus.directory, 'outbox-'));
    await bus.server.kill();
    await waitUntil(() => !bus.admin.isConnected, { what: 'the bus away', signal });
    say(`away: ${events} events wait`);
    const first = await Outbox.open({ directory, bus: bus.admin });
    for (let seq = 0; seq < events; seq += 1) {
      const service = `service-${seq % SERVICES}`;
      const event = eventOf(HOST, service, seq, `transition ${seq}`);
      first.append(rows.instanceEvent, { host: HOST, service, instance: 0 }, event);
    }
    await first.close();
    const outbox = await Outbox.open({ directory, bus: bus.admin });
    const startedAtMs = performance.now();
    await bus.server.restart();
    await outbox.flushed(signal);
    const tookSeconds = (performance.now() - startedAtMs) / 1_000;
    await outbox.close();
    const { lost, repeated, disordered } = await readBack(bus, events);
    const none = atMost(0);
    return {
      counts: `${events} events of ${SERVICES} services`,
      findings: [
        { what: `the bus back → ${events} events caught up`, unit: 's', ours: tookSeconds, goal: atMost(GOAL_SECONDS) },
        { what: '  lost', unit: '', ours: lost, goal: none },
        { what: '  twice', unit: '', ours: repeated, goal: none },
        { what: '  out of order', unit: '', ours: disordered, goal: none },
      ],
    };
  },
};

async function readBack({ admin }: BenchBus, events: number) {
  const stored = await admin.history(rows.instanceEvent, {});
  const ids = new Set(stored.map(({ message }) => message.id));
  const lastSeq = new Map<string, number>();
  let disordered = 0;
  for (const { message } of stored) {
    if (message.seq < (lastSeq.get(message.service) ?? -1)) disordered += 1;
    lastSeq.set(message.service, message.seq);
  }
  return { lost: events - ids.size, repeated: stored.length - ids.size, disordered };
}
