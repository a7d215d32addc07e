/*
 * One instance's lines against a stream in memory that loses answers, and against an agent that dies at every step. Real
 * files; the clock is the test's.
 */
import { appendFileSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { LogBatch, LogStream } from '@muster/contracts';
import { type TemporaryDirectory, temporaryDirectory } from '@muster/testkit';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Fault, Killed, MemoryStream } from '../../test/support/memory-stream.ts';
import { Envelopes } from '../bus/envelopes.ts';
import { LogIndexWriter } from '../output/log-index.ts';
import { AcknowledgedBatches } from './acknowledged-batches.ts';
import { CursorJournal } from './cursor-journal.ts';
import { Shipper } from './shipper.ts';

let home: TemporaryDirectory;
let count = 0;
beforeAll(async () => {
  home = await temporaryDirectory();
});
afterAll(() => home[Symbol.asyncDispose]());

const GENEROUS = { ship: true, rateBytesPerSecond: 1e9, burstBytes: 1e9 };

/** An instance with its files, and one agent after another that ships its lines. */
class World implements Disposable {
  readonly stream = new MemoryStream();
  readonly files: Record<LogStream, string>;
  readonly #journalFile: string;
  readonly #options: { spec: typeof GENEROUS; maxBehindBytes: number };
  nowMs = 0;
  #journal: CursorJournal;
  readonly acknowledged: AcknowledgedBatches;
  shipper: Shipper;

  constructor(options: Partial<{ spec: typeof GENEROUS; maxBehindBytes: number }> = {}) {
    this.#options = { spec: GENEROUS, maxBehindBytes: 1e9, ...options };
    const name = path.join(home.path, `w${(count += 1)}`);
    this.files = { stdout: `${name}.stdout.log`, stderr: `${name}.stderr.log` };
    this.#journalFile = `${name}.cursors`;
    this.#journal = new CursorJournal(this.#journalFile);
    this.acknowledged = new AcknowledgedBatches(`${this.#journalFile}.acknowledged`);
    this.shipper = this.#start();
  }

  write(stream: LogStream, text: string | Uint8Array): void {
    appendFileSync(this.files[stream], text);
  }

  /** As the output writer notes it: what follows is of this run. */
  runBegins(generation: number, timeMs = 0): void {
    for (const file of Object.values(this.files)) {
      using index = new LogIndexWriter(file);
      index.note({ offset: statSync(file, { throwIfNoEntry: false })?.size ?? 0, timeMs, generation });
    }
  }

  restart(): void {
    this.#journal[Symbol.dispose]();
    this.#journal = new CursorJournal(this.#journalFile);
    this.shipper = this.#start();
  }

  /** Time goes by until there is nothing to send. */
  async settle(): Promise<void> {
    let idle = 0;
    for (let round = 0; round < 300; round += 1) {
      idle = (await this.tick()) ? 0 : idle + 1;
      // Longer than a line without an end is waited for.
      if (idle > 8) return;
    }
    throw new Error('it never comes to rest');
  }

  /** One round of the agent; a fault that kills it is followed by the next agent. */
  async tick(): Promise<boolean> {
    this.nowMs += 1_000;
    if (!this.shipper.isDue(this.nowMs)) return false;
    try {
      while (await this.shipper.step(this.nowMs));
    } catch (error) {
      if (error instanceof Killed) this.restart();
    }
    return true;
  }

  [Symbol.dispose](): void {
    this.acknowledged[Symbol.dispose]();
    this.#journal[Symbol.dispose]();
  }

  #start(): Shipper {
    const who = { host: 'web1', service: 'api', instance: 0, generation: 1 };
    const { stream, files } = this;
    const envelopes = new Envelopes('web1', 1);
    return new Shipper(
      {
        ...who,
        ...this.#options,
        files,
        bus: stream,
        envelopes,
        journal: this.#journal,
        mask: (text: string) => text,
        acknowledged: this.acknowledged,
      },
      'api.0',
      this.nowMs,
    );
  }
}

/** Somebody else's, without lines. */
const sampleBatch = { lines: [], gaps: [] } as unknown as LogBatch;

function textsOf({ stream }: World, of: LogStream = 'stdout'): string[] {
  return stream.batches.flatMap(({ lines }) => lines.filter((line) => line.stream === of).map(({ text }) => text));
}

/** Lines and gaps, as stretches of one file. */
function coverageOf({ stream }: World, of: LogStream): { from: number; to: number }[] {
  return stream.batches.flatMap(({ lines, gaps }) => [
    ...lines
      .filter((line) => line.stream === of)
      .map(({ offset, text, partial }) => ({ from: offset, to: offset + Buffer.byteLength(text) + (partial ? 0 : 1) })),
    ...gaps.filter((gap) => gap.stream === of).map(({ offset, bytes }) => ({ from: offset, to: offset + bytes })),
  ]);
}

test('lines of both files arrive, each in its order', async () => {
  using world = new World();
  world.write('stdout', 'a\nb\n');
  world.write('stderr', 'x\n');
  await world.settle();
  world.write('stdout', 'c\n');
  await world.settle();
  expect(textsOf(world)).toEqual(['a', 'b', 'c']);
  expect(textsOf(world, 'stderr')).toEqual(['x']);
});

test('a last line without an end is sent when nothing has followed for a while', async () => {
  using world = new World();
  world.write('stdout', 'whole\nprompt> ');
  await world.tick();
  await world.tick();
  expect(textsOf(world)).toEqual(['whole']);
  await world.settle();
  expect(world.stream.batches.at(-1)?.lines).toMatchObject([{ text: 'prompt> ', partial: true }]);
});

test('what was written before a run began is of the run before', async () => {
  using world = new World();
  world.write('stdout', 'old\nlast words');
  world.runBegins(2);
  world.write('stdout', 'new\n');
  await world.settle();
  const told = world.stream.batches.map(({ generation, lines }) => [generation, lines.map(({ text }) => text)]);
  expect(told).toEqual([
    [1, ['old', 'last words']],
    [2, ['new']],
  ]);
});

test('a line has the time at which it was written, unless it says one itself', async () => {
  using world = new World();
  const writtenAt = new Date('2026-01-02T03:04:05.678Z');
  world.runBegins(1, writtenAt.getTime());
  world.write('stdout', 'plain\n2026-01-01T00:00:00Z its own\n');
  world.runBegins(2, writtenAt.getTime() + 5_000);
  world.write('stdout', 'later\n');
  await world.settle();
  const times = world.stream.batches.flatMap(({ lines }) => lines.map(({ time }) => time));
  expect(times).toEqual(['2026-01-02T03:04:05.678Z', '2026-01-01T00:00:00.000Z', '2026-01-02T03:04:10.678Z']);
});

test('what is over the rate is counted, and the next second has its share', async () => {
  using world = new World({ spec: { ship: true, rateBytesPerSecond: 1_024, burstBytes: 1_024 } });
  const line = `${'x'.repeat(99)}\n`;
  world.write('stdout', line.repeat(100));
  await world.settle();
  world.write('stdout', line);
  await world.settle();
  const [first, second] = world.stream.batches;
  expect(first?.lines.length).toBeGreaterThan(5);
  const shipped = first?.lines.length ?? 0;
  expect(first?.gaps).toEqual([
    {
      stream: 'stdout',
      offset: shipped * 100,
      bytes: (100 - shipped) * 100,
      lines: 100 - shipped,
      reason: 'more than 1 KiB/s',
    },
  ]);
  expect(second?.lines).toHaveLength(1);
});

test('a flood has one burst, however many agents follow each other', async () => {
  using world = new World({ spec: { ship: true, rateBytesPerSecond: 1, burstBytes: 50_000 } });
  const line = `${'x'.repeat(999)}\n`;
  for (let agent = 0; agent < 10; agent += 1) {
    world.write('stdout', line.repeat(40));
    await world.tick();
    await world.tick();
    world.restart();
  }
  await world.settle();
  // One line may begin with the last byte that is allowed, and the file's end waits for nobody.
  expect(textsOf(world).length).toBeGreaterThanOrEqual(50);
  expect(textsOf(world).length).toBeLessThanOrEqual(52);
});

test('a flood of many slices is left out at the end of a line', async () => {
  using world = new World({ spec: { ship: true, rateBytesPerSecond: 16_384, burstBytes: 65_536 } });
  const lines = Array.from({ length: 60_000 }, (_, i) => `line ${i}${'.'.repeat(i % 7)}\n`);
  world.write('stdout', lines.join(''));
  await world.settle();
  world.write('stdout', 'after\n');
  await world.settle();
  const texts = textsOf(world);
  expect(texts.at(-1)).toBe('after');
  expect(texts.slice(0, -1)).toEqual(lines.slice(0, texts.length - 1).map((line) => line.slice(0, -1)));
  const counted = world.stream.batches.flatMap(({ gaps }) => gaps).reduce((sum, gap) => sum + (gap.lines ?? 0), 0);
  expect(texts.length + counted).toBe(60_001);
  expect(counted).toBeGreaterThan(40_000);
});

test('of what waits too long the oldest is counted', async () => {
  using world = new World({ maxBehindBytes: 1_000 });
  world.write('stdout', '123456789\n'.repeat(500));
  await world.settle();
  const gaps = world.stream.batches.flatMap((batch) => batch.gaps);
  expect(gaps).toEqual([
    { stream: 'stdout', offset: 0, bytes: 4_000, lines: 400, reason: 'more than 1000 bytes waited to be shipped' },
  ]);
  expect(textsOf(world)).toHaveLength(100);
});

test('who keeps to the rate loses nothing however long the bus is away', async () => {
  using world = new World({ spec: { ship: true, rateBytesPerSecond: 1_000, burstBytes: 1_000 } });
  for (let second = 0; second < 60; second += 1) {
    world.write('stdout', `${'x'.repeat(899)}\n`);
    world.stream.faults.splice(0, 9, 'away');
    await world.tick();
  }
  world.stream.faults.length = 0;
  await world.settle();
  expect(world.stream.batches.flatMap(({ gaps }) => gaps)).toEqual([]);
  expect(textsOf(world)).toHaveLength(60);
});

test('a file that is cut off is a gap, and goes on from its start', async () => {
  using world = new World();
  world.write('stdout', 'one\n');
  await world.settle();
  world.write('stdout', 'two\n');
  world.shipper.isDue(world.nowMs);
  truncateSync(world.files.stdout);
  world.write('stdout', 'x\n');
  await world.settle();
  expect(textsOf(world)).toEqual(['one', 'x']);
  expect(world.stream.batches.flatMap(({ gaps }) => gaps)).toEqual([
    {
      stream: 'stdout',
      offset: 4,
      bytes: 4,
      reason: 'the log file was cut off: what had not been read of it is missing',
    },
  ]);
});

test('a file in the place of another is read from its start', async () => {
  using world = new World();
  world.write('stdout', 'one\n');
  await world.settle();
  writeFileSync(`${world.files.stdout}.new`, 'other\n');
  renameSync(`${world.files.stdout}.new`, world.files.stdout);
  await world.settle();
  expect(textsOf(world)).toEqual(['one', 'other']);
  const gaps = world.stream.batches.flatMap((batch) => batch.gaps);
  expect(gaps).toMatchObject([{ bytes: 0, reason: expect.stringContaining('another file') }]);
});

test('a file that is gone before a doubtful message is known to have arrived is counted, not invented', async () => {
  using world = new World();
  world.write('stdout', 'one\ntwo\n');
  world.stream.faults.push('killed-before');
  for (let i = 0; i < 3; i += 1) await world.tick();
  truncateSync(world.files.stdout);
  await world.settle();
  expect(world.stream.batches.flatMap(({ gaps }) => gaps)[0]).toMatchObject({ offset: 0, bytes: 8 });
});

test.each([
  ['control characters', Buffer.alloc(300_000, 0x01)],
  ['no UTF-8', Buffer.alloc(300_000, 0xbf)],
  ['empty lines', Buffer.alloc(100_000, 0x0a)],
  ['short lines of both', Buffer.from('\u0001\n'.repeat(50_000))],
  [
    'JSON that grows',
    Buffer.from(`${JSON.stringify({ msg: '', n: 0 }).replace('0', '1e20,"m":1e20')}\n`.repeat(5_000)),
  ],
])('whatever is written fits its messages: %s', async (_, bytes) => {
  using world = new World();
  world.write('stdout', bytes);
  world.write('stderr', bytes);
  await world.settle();
  for (const stream of ['stdout', 'stderr'] as const) {
    const told = world.stream.batches.flatMap(({ lines }) => lines.filter((line) => line.stream === stream));
    expect(told.length).toBeGreaterThan(10);
    const offsets = told.map(({ offset }) => offset);
    expect(offsets).toEqual([...new Set(offsets)].sort((a, b) => a - b));
  }
});

type Act = { write: LogStream; lines: number } | { faults: Fault[] } | 'tick' | 'kill' | 'run';

const fault = fc.constantFrom<Fault>(
  'none',
  'away',
  'no-stream',
  'lost-before',
  'lost-after',
  'killed-before',
  'killed-after',
);
const act = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      write: fc.constantFrom<LogStream>('stdout', 'stderr'),
      lines: fc.integer({ min: 1, max: 3_000 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ faults: fc.array(fault, { minLength: 1, maxLength: 3 }) }) },
  { weight: 4, arbitrary: fc.constant('tick' as const) },
  fc.constant('kill' as const),
  fc.constant('run' as const),
);

test.each([
  ['all is allowed', GENEROUS, 1e9],
  ['the rate is low', { ship: true, rateBytesPerSecond: 2_000, burstBytes: 20_000 }, 1e9],
  ['little may wait', GENEROUS, 50_000],
])(
  'whatever is killed or lost on the way: each line once, in order, or counted (%s)',
  async (_, spec, maxBehindBytes) => {
    await fc.assert(
      fc.asyncProperty(fc.array<Act>(act, { maxLength: 25 }), async (acts) => {
        using world = new World({ spec, maxBehindBytes });
        const written = { stdout: 0, stderr: 0 };
        let generation = 1;
        for (const one of acts) {
          if (one === 'tick') await world.tick();
          else if (one === 'kill') world.restart();
          else if (one === 'run') world.runBegins((generation += 1));
          else if ('faults' in one) world.stream.faults.push(...one.faults);
          else {
            const lines = Array.from({ length: one.lines }, () => `line ${(written[one.write] += 1)}\n`);
            world.write(one.write, lines.join(''));
          }
        }
        await world.settle();
        for (const stream of ['stdout', 'stderr'] as const) {
          const numbers = textsOf(world, stream).map((text) => Number(text.slice(5)));
          expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
          const counted = world.stream.batches
            .flatMap(({ gaps }) => gaps)
            .reduce((sum, gap) => sum + (gap.stream === stream ? (gap.lines ?? 0) : 0), 0);
          expect(numbers.length + counted).toBe(written[stream]);
          let at = 0;
          for (const { from, to } of coverageOf(world, stream)) {
            expect(from).toBe(at);
            at = to;
          }
        }
      }),
      { numRuns: 40 },
    );
  },
  120_000,
);

describe('a stream that went back', () => {
  const told = (incarnation: number, seq: number) => ({
    incarnation,
    raises: [{ incarnation, kept: [{ stream: 'logs', seq }] }],
  });

  async function shipped(world: World, texts: readonly string[]): Promise<void> {
    for (const text of texts) {
      world.write('stdout', `${text}\n`);
      await world.settle();
    }
  }

  test('gets what it lost once more, with the same ids, before what comes', async () => {
    using world = new World();
    world.shipper.learn(told(1, 0), []);
    await shipped(world, ['a', 'b', 'c', 'd']);
    const ids = world.stream.batches.map(({ id }) => id);
    world.stream.batches.splice(2);
    world.stream.forgetIds();
    // Also by the agent that follows.
    world.restart();
    await shipped(world, ['e']);
    expect(textsOf(world)).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(world.stream.batches.slice(0, 4).map(({ id }) => id)).toEqual(ids);
  });

  test('also when its numbers say nothing, and the incarnation does', async () => {
    using world = new World();
    world.shipper.learn(told(1, 0), []);
    await shipped(world, ['a', 'b', 'c']);
    const acknowledged = world.acknowledged.read().get('api.0') ?? [];
    world.stream.batches.splice(1, 2, ...(['x', 'y', 'z'] as const).map((id) => ({ ...sampleBatch, id })));
    world.stream.forgetIds();
    world.shipper.learn(told(2, 1), acknowledged);
    await world.settle();
    expect(textsOf(world)).toEqual(['a', 'b', 'c']);
    // Told again it is no news.
    world.shipper.learn(told(2, 1), acknowledged);
    await world.settle();
    expect(textsOf(world)).toEqual(['a', 'b', 'c']);
  });

  test('what its files have no more is a counted gap', async () => {
    using world = new World();
    world.shipper.learn(told(1, 0), []);
    await shipped(world, ['a', 'b']);
    rmSync(world.files.stdout);
    world.stream.batches.splice(1);
    world.stream.forgetIds();
    world.shipper.learn(told(2, 1), world.acknowledged.read().get('api.0') ?? []);
    await world.settle();
    expect(world.stream.batches[1]).toMatchObject({ lines: [], gaps: [{ stream: 'stdout', offset: 2, bytes: 2 }] });
  });
});
