import { expect, test } from 'vitest';
import { abortable } from './abortable.ts';

const never = new Promise<never>(() => {});

test.each([
  ['before', (abort: AbortController) => abort.abort(new Error('asked to stop'))],
  ['while it waits', (abort: AbortController) => setImmediate(() => abort.abort(new Error('asked to stop')))],
])('a signal that is aborted %s ends the wait', async (_when, stop) => {
  const abort = new AbortController();
  stop(abort);
  await expect(abortable(never, abort.signal)).rejects.toThrow('asked to stop');
});

test('what comes in time is the answer', async () => {
  expect(await abortable(Promise.resolve(1), new AbortController().signal)).toBe(1);
});
