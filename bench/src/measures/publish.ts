import { mkdtempSync } from 'node:fs';
import path from 'node:path';
import { buildSubject, ENCODING_HEADER, rows } from '@muster/contracts';
import { Outbox } from '@muster/contracts/bus';
import { BENCH_ENVIRONMENT, inParallel, publishInOrder, startBenchBus } from '../bench-bus.ts';
import { eventOf } from '../bench-messages.ts';
import { atMostOfPeer } from '../finding.ts';
import type { Measure } from '../measure.ts';
import { loadCodec } from '../program-parts.ts';
import { openRawNats, type RawNats } from '../raw-nats.ts';
import { median, usPerPiece } from '../statistics.ts';

const HOST = 'bench';
const SUBJECTS = 256;
const SERVICES = Array.from({ length: SUBJECTS }, (_, index) => `ours-${index}`);
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
      const order = {
        row: rows.instanceEvent,
        count: messages,
        services: SERVICES,
        host: HOST,
        reason: REASON,
        lastSeq,
      };
      ours.push(await usPerPiece(messages, () => publishInOrder(bus.admin, order)));
      peer.push(await usPerPiece(messages, () => publishRaw(raw, messages, payload)));
    }
    const outbox = await Outbox.open({ directory: mkdtempSync(path.join(bus.directory, 'outbox-')), bus: bus.admin });
    const outboxUs = await usPerPiece(messages, async () => {
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
          goal: atMostOfPeer(GOAL_RATIO),
        },
        { what: '  through the outbox', unit: 'µs', ours: outboxUs },
      ],
    };
  },
};

function publishRaw(raw: RawNats, messages: number, payload: Uint8Array): Promise<void> {
  const subjects = Array.from({ length: SUBJECTS }, (_, index) =>
    buildSubject(BENCH_ENVIRONMENT, rows.instanceEvent.template, { host: HOST, service: `raw-${index}`, instance: 0 }),
  );
  return inParallel(subjects, SUBJECTS, async (subject) => {
    for (let count = 0; count < messages / SUBJECTS; count += 1) await raw.store(subject, payload);
  });
}
