import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { PrepareQueue } from './prepare-queue.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'hrtime'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A queue whose tasks note that they ran, and take as long as told. */
function queueOf() {
  const ran: string[] = [];
  const queue = new PrepareQueue();
  const add = (instance: string, takesMs = 0, name = instance) =>
    queue.add(instance, async () => {
      ran.push(name);
      if (takesMs > 0) await new Promise<void>((resolve) => setTimeout(resolve, takesMs));
    });
  return { queue, ran, add };
}

test('nothing is prepared until it has been quiet for a moment', async () => {
  const { queue, ran, add } = queueOf();
  add('a');
  await vi.advanceTimersByTimeAsync(100);
  queue.pushBack();
  await vi.advanceTimersByTimeAsync(100);
  expect(ran).toEqual([]);
  await vi.advanceTimersByTimeAsync(100);
  expect(ran).toEqual(['a']);
});

test('what never gets quiet is prepared all the same, after a second', async () => {
  const { queue, ran, add } = queueOf();
  add('a');
  for (let i = 0; i < 9; i += 1) {
    await vi.advanceTimersByTimeAsync(100);
    queue.pushBack();
  }
  expect(ran).toEqual([]);
  await vi.advanceTimersByTimeAsync(110);
  expect(ran).toEqual(['a']);
});

test('a few at a time, and something urgent comes in between', async () => {
  const { queue, ran, add } = queueOf();
  const instances = Array.from({ length: 12 }, (_, index) => String(index));
  for (const instance of instances) add(instance, 100);
  await vi.advanceTimersByTimeAsync(160);
  expect(ran).toEqual(instances.slice(0, 10));
  queue.pushBack();
  await vi.advanceTimersByTimeAsync(120);
  expect(ran).toEqual(instances.slice(0, 10));
  await vi.advanceTimersByTimeAsync(400);
  expect(ran).toEqual(instances);
});

test('a newer task of an instance replaces the older one', async () => {
  const { ran, add } = queueOf();
  add('a', 0, 'old');
  add('a', 0, 'new');
  await vi.advanceTimersByTimeAsync(1_000);
  expect(ran).toEqual(['new']);
});

test('after it is disposed of nothing runs', async () => {
  const { queue, ran, add } = queueOf();
  add('a');
  queue[Symbol.dispose]();
  add('b');
  await vi.advanceTimersByTimeAsync(10_000);
  expect(ran).toEqual([]);
});
