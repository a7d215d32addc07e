import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type KvBucket, MessageTooLargeError } from '@muster/contracts/bus';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { KvWriter } from './kv-writer.ts';

/** A bucket in memory, which takes its time or refuses when told to. */
class MemoryBucket implements Pick<KvBucket<string>, 'put' | 'delete'> {
  readonly values = new Map<string, string>();
  readonly log: string[] = [];
  /** Writes wait here for `answer` while it is true. */
  isSlow = false;
  refusal: Error | undefined;
  readonly #waiting: (() => void)[] = [];

  async put(key: string, value: string): Promise<{ revision: number }> {
    await this.#takeTime(`put ${key}=${value}`);
    this.values.set(key, value);
    return { revision: this.log.length };
  }

  async delete(key: string): Promise<void> {
    await this.#takeTime(`delete ${key}`);
    this.values.delete(key);
  }

  async answer(): Promise<void> {
    for (const go of this.#waiting.splice(0)) go();
    await nextTurn();
  }

  async #takeTime(what: string): Promise<void> {
    this.log.push(what);
    if (this.isSlow) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (this.refusal !== undefined) throw this.refusal;
  }
}

let directory: string;
let journalFile: string;
let bucket: MemoryBucket;
let bus: { isConnected: boolean };
let problems: unknown[];
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  directory = mkdtempSync(path.join(tmpdir(), 'muster-kv-writer-'));
  journalFile = path.join(directory, 'keys.json');
  bucket = new MemoryBucket();
  bus = { isConnected: true };
  problems = [];
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(directory, { recursive: true });
});

function writer(): KvWriter<string> {
  return new KvWriter({
    bucket,
    journalFile,
    isConnected: () => bus.isConnected,
    onProblem: (error, isFirst) => problems.push(...(isFirst ? [error] : [])),
  });
}

test('a key is written down before it is put', async () => {
  const keys = writer();
  keys.set('web1.api.0', 'up');
  keys.set('web1.db.0', 'up');
  expect(bucket.log).toEqual([]);
  await nextTurn();
  expect(JSON.parse(readFileSync(journalFile, 'utf8'))).toEqual(['web1.api.0', 'web1.db.0']);
  expect(bucket.log).toEqual(['put web1.api.0=up', 'put web1.db.0=up']);
});

test('each key has one put under way, and the newest value is the last', async () => {
  const keys = writer();
  bucket.isSlow = true;
  for (const value of ['starting', 'running', 'stopping']) {
    keys.set('api', value);
    await nextTurn();
  }
  expect(bucket.log).toEqual(['put api=starting']);
  await bucket.answer();
  expect(bucket.log).toEqual(['put api=starting', 'put api=stopping']);
  await bucket.answer();
  expect(bucket.values.get('api')).toBe('stopping');
});

test('no more than 16 puts are under way', async () => {
  const keys = writer();
  bucket.isSlow = true;
  for (let i = 0; i < 20; i += 1) keys.set(`key-${i}`, 'up');
  await nextTurn();
  expect(bucket.log).toHaveLength(16);
  await bucket.answer();
  expect(bucket.log).toHaveLength(20);
});

test('what is refused is tried again, with the value of then, and told once', async () => {
  const keys = writer();
  bucket.refusal = new Error('no stream');
  keys.set('api', 'starting');
  await nextTurn();
  await vi.advanceTimersByTimeAsync(500);
  keys.set('api', 'running');
  bucket.refusal = undefined;
  await vi.advanceTimersByTimeAsync(500);
  await nextTurn();
  expect(bucket.values.get('api')).toBe('running');
  expect(problems).toEqual([new Error('no stream')]);
});

test('while the bus is away nothing is tried; afterwards everything is put again', async () => {
  const keys = writer();
  keys.set('api', 'running');
  await nextTurn();
  bus.isConnected = false;
  keys.set('db', 'running');
  await nextTurn();
  expect(bucket.log).toEqual(['put api=running']);
  bus.isConnected = true;
  bucket.log.length = 0;
  keys.resync();
  await nextTurn();
  expect(bucket.log.sort()).toEqual(['put api=running', 'put db=running']);
});

test('keys that only a former agent put are deleted once everything is said', async () => {
  bucket.values.set('gone', 'running');
  writeFileSync(journalFile, '["gone","api"]');
  const keys = writer();
  keys.set('api', 'running');
  await nextTurn();
  expect(bucket.values.has('gone')).toBe(true);
  keys.dropFormer();
  await nextTurn();
  expect([...bucket.values]).toEqual([['api', 'running']]);
  expect(JSON.parse(readFileSync(journalFile, 'utf8'))).toEqual(['api']);
});

test('a deletion that did not get through is tried by the next agent too', async () => {
  writeFileSync(journalFile, '["gone"]');
  const first = writer();
  bucket.refusal = new Error('away');
  first.dropFormer();
  await nextTurn();
  first.stop();
  bucket.refusal = undefined;
  writer().dropFormer();
  await nextTurn();
  expect(bucket.log).toEqual(['delete gone', 'delete gone']);
});

test('a key that cannot be written down waits, and the agent goes on', async () => {
  const keys = new KvWriter<string>({
    bucket,
    journalFile: path.join(directory, 'in', 'keys.json'),
    isConnected: () => true,
    onProblem: (error, isFirst) => problems.push(...(isFirst ? [error] : [])),
  });
  writeFileSync(path.join(directory, 'in'), 'a file where a folder must be');
  keys.set('api', 'running');
  await nextTurn();
  expect(bucket.log).toEqual([]);
  expect(problems).toHaveLength(1);
  rmSync(path.join(directory, 'in'));
  await vi.advanceTimersByTimeAsync(500);
  await nextTurn();
  expect(bucket.log).toEqual(['put api=running']);
});

test.each(['', '{', '{"a":1}', '[1,null]'])('a journal of %j counts as empty', (text) => {
  writeFileSync(journalFile, text);
  writer().dropFormer();
  expect(bucket.log).toEqual([]);
});

test('a value that no message can carry is told of and holds nothing up', async () => {
  const keys = writer();
  bucket.refusal = new MessageTooLargeError('specs', 600_000, 524_288);
  keys.set('huge', 'x');
  await nextTurn();
  await nextTurn();
  bucket.refusal = undefined;
  keys.set('api', 'up');
  await nextTurn();
  expect(problems).toHaveLength(1);
  expect(bucket.log).toEqual(['put huge=x', 'put api=up']);
});

test('it is flushed once the last value of each key is put, or as long as its signal lasts', async () => {
  const keys = writer();
  await keys.flushed(AbortSignal.timeout(1_000));
  bucket.isSlow = true;
  keys.set('web1.api.0', 'stopping');
  await nextTurn();
  keys.set('web1.api.0', 'stopped');
  let isFlushed = false;
  const flushed = keys.flushed(new AbortController().signal).then(() => {
    isFlushed = true;
  });
  const impatient = new AbortController();
  const given = keys.flushed(impatient.signal);
  impatient.abort(new Error('too long'));
  await expect(given).rejects.toThrow('too long');
  await bucket.answer();
  expect(isFlushed).toBe(false);
  await bucket.answer();
  await flushed;
  expect(bucket.values.get('web1.api.0')).toBe('stopped');
});
