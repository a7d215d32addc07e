import { mkdtempSync } from 'node:fs';
import path from 'node:path';
import { buildSubject, ENCODING_HEADER, type InstanceEvent, rows } from '@muster/contracts';
import { type NatsBus, Outbox } from '@muster/contracts/bus';
import { BENCH_ENVIRONMENT, inParallel, startBenchBus } from '../bench-bus.ts';
import { eventOf } from '../bench-messages.ts';
import type { Measure } from '../measure.ts';
import { loadCodec } from '../program-parts.ts';
import { openRawNats, type RawNats } from '../raw-nats.ts';
import { median } from '../statistics.ts';

const HOST = 'bench';
const SUBJECTS = 256;
/** Makes a message of some 1.5 kB. */
const REASON = 'exited with code 1: '.padEnd(1_000, 'x');
/** Ours at no less than 0.8 of the peer's rate. */
const GOAL_RATIO = 1 / 0.8;

export const publish: Measure = {
  name: 'publish',
  includes: `one message of 1.5 kB into a file stream, ${SUBJECTS} on their way at once, up to the server's acknowledgement; ours: validated, encoded, and stored only behind the one before it on its subject; the peer is the client library alone, which publishes bytes that are ready; both from one process, in turns. The outbox makes each message and journals it on disk as well`,
  async run({ rootDir, isQuick, signal, say }) {
    const messages = isQuick ? 5_000 : 20_000;
    const rounds = isQuick ? 3 : 7;
    await using bus = await startBenchBus(signal);
    await using raw = await openRawNats(bus.server.url, ENCODING_HEADER);
    const codec = await loadCodec(rootDir);
    const payload = codec.encodeForStream(rows.instanceEvent, 'event', eventOf(HOST, 'service-0', 1, REASON));
    const lastSeq = new Map<string, number>();
    const ours: number[] = [];
    const peer: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      say(`publish: round ${round + 1} of ${rounds}`);
      signal.throwIfAborted();
      ours.push(await perMessageUs(messages, () => publishOurs(bus.admin, messages, lastSeq)));
      peer.push(await perMessageUs(messages, () => publishRaw(raw, messages, payload)));
    }
    const outbox = await Outbox.open({ directory: mkdtempSync(path.join(bus.directory, 'outbox-')), bus: bus.admin });
    const outboxUs = await perMessageUs(messages, async () => {
      for (let seq = 0; seq < messages; seq += 1) {
        const service = `outbox-${seq % SUBJECTS}`;
        outbox.append(rows.instanceEvent, { host: HOST, service, instance: 0 }, eventOf(HOST, service, seq, REASON));
      }
      await outbox.flushed(signal);
    });
    await outbox.close();
    return {
      counts: `${rounds} rounds of ${messages} messages of ${payload.length} bytes`,
      findings: [
        {
          what: 'a message into a stream, median of rounds',
          unit: 'µs',
          ours: median(ours),
          peer: { name: 'client library', value: median(peer) },
          goal: { kind: 'ratio-at-most', ratio: GOAL_RATIO },
        },
        { what: '  through the outbox', unit: 'µs', ours: outboxUs },
      ],
    };
  },
};

async function perMessageUs(messages: number, work: () => Promise<void>): Promise<number> {
  const startedAtMs = performance.now();
  await work();
  return ((performance.now() - startedAtMs) * 1_000) / messages;
}

/** Each subject's messages one after the other, all subjects at once. */
function publishOurs(bus: NatsBus, messages: number, lastSeq: Map<string, number>): Promise<void> {
  const subjects = Array.from({ length: SUBJECTS }, (_, index) => `ours-${index}`);
  // Made once: minting ids is the sender's work, and takes as long as all the rest.
  const events = new Map(subjects.map((service) => [service, eventOf(HOST, service, 1, REASON)]));
  return inParallel(subjects, SUBJECTS, async (service) => {
    const event = events.get(service) as InstanceEvent;
    for (let count = 0; count < messages / SUBJECTS; count += 1) {
      const params = { host: HOST, service, instance: 0 };
      const options = { expectedLastSeq: lastSeq.get(service) ?? 0 };
      const { seq } = await bus.publishOrdered(rows.instanceEvent, params, event, options);
      lastSeq.set(service, seq);
    }
  });
}

function publishRaw(raw: RawNats, messages: number, payload: Uint8Array): Promise<void> {
  const subjects = Array.from({ length: SUBJECTS }, (_, index) =>
    buildSubject(BENCH_ENVIRONMENT, rows.instanceEvent.template, { host: HOST, service: `raw-${index}`, instance: 0 }),
  );
  return inParallel(subjects, SUBJECTS, async (subject) => {
    for (let count = 0; count < messages / SUBJECTS; count += 1) await raw.store(subject, payload);
  });
}
