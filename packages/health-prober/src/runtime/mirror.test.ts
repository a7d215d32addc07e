import type { KvBucket } from '@muster/contracts/bus';
import { expect, test } from 'vitest';
import { Mirror } from './mirror.ts';

test('who waits for a bucket that tells nothing can be told to stop', async () => {
  const silent: Pick<KvBucket<string>, 'watch'> = { watch: () => ({ stop: () => {} }) };
  const mirror = new Mirror(silent as KvBucket<string>, () => {});
  const stopping = new AbortController();
  const ready = mirror.ready(stopping.signal);
  stopping.abort(new Error('asked to stop'));
  await expect(ready).rejects.toThrow('asked to stop');
  await expect(mirror.ready(stopping.signal)).rejects.toThrow('asked to stop');
});
