import { type LogBatch, type LogLine, rows } from '@muster/contracts';
import { messageIdOf, uuidv7 } from '@muster/contracts/bus';
import type { BenchBus } from './bench-bus.ts';
import type { ParseLine } from './program-parts.ts';

const HOST = 'bench';
const START_MS = Date.parse('2026-03-01T00:00:00.000Z');
const MESSAGES = 200;
const PATHS = ['/', '/api/orders', '/api/orders/search', '/api/users/me', '/assets/app.js', '/health'];

export interface StoredLogs {
  /** Of a line in its log file, its end included. */
  readonly writtenBytes: number;
  /** Of a line in the stream: its share of a message. */
  readonly storedBytes: number;
}

/** What nats-server keeps of an access log in messages of so many lines each. */
export async function storeLogs(
  bus: BenchBus,
  parseLine: ParseLine,
  random: () => number,
  linesPerMessage: number,
): Promise<StoredLogs> {
  const params = { host: HOST, service: `lines-${linesPerMessage}`, instance: 0 };
  const before = await bus.stored('logs');
  let writtenBytes = 0;
  let expectedLastSeq = 0;
  for (let seq = 1; seq <= MESSAGES; seq += 1) {
    const lines: LogLine[] = [];
    for (let line = 0; line < linesPerMessage; line += 1) {
      const atMs = START_MS + seq * 1_000 + Math.floor((line * 1_000) / linesPerMessage);
      const raw = accessLine(atMs, random);
      const time = new Date(atMs).toISOString();
      lines.push({ time, stream: 'stdout', offset: writtenBytes, ...parseLine(raw) });
      writtenBytes += raw.length + 1;
    }
    const message: LogBatch = {
      id: uuidv7(),
      time: new Date(START_MS + seq * 1_000).toISOString(),
      source: `agent/${HOST}`,
      epoch: 1_772_366_400,
      seq,
      ...params,
      generation: 1,
      lines,
      gaps: [],
    };
    const options = { expectedLastSeq, messageId: messageIdOf('', params.service, message.id) };
    ({ seq: expectedLastSeq } = await bus.admin.publishOrdered(rows.instanceLog, params, message, options));
  }
  const after = await bus.stored('logs');
  const lines = MESSAGES * linesPerMessage;
  return { writtenBytes: writtenBytes / lines, storedBytes: (after.bytes - before.bytes) / lines };
}

function accessLine(atMs: number, random: () => number): string {
  const below = (limit: number) => Math.floor(random() * limit);
  const path = PATHS[below(PATHS.length)] ?? '/';
  const status = random() < 0.95 ? 200 : 404;
  const address = `10.0.${below(4)}.${below(250)}`;
  return `${address} - - [${new Date(atMs).toISOString()}] "GET ${path}?id=${below(100_000)} HTTP/1.1" ${status} ${below(20_000)} ${below(300)}ms`;
}
