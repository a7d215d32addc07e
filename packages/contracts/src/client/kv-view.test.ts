import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { KvHandlers } from '../bus/bus.ts';
import { PermissionDeniedError } from '../bus/errors.ts';
import { KvView, type KvViewHandlers } from './kv-view.ts';

const KEYS = ['web1.api.0', 'web1.api.1', 'web2.api.0', 'db1.postgres.0'];

/** A view of a bucket that tells what the test says. */
function viewOf(told: Partial<KvViewHandlers<number>> = {}) {
  let handlers: KvHandlers<number> | undefined;
  const view = new KvView<number>(
    (given) => {
      handlers = given;
      return { stop: () => {} };
    },
    { onListed: () => {}, onEntry: () => {}, onExcess: () => {}, ...told },
  );
  return { view, bucket: handlers as KvHandlers<number> };
}

type Step = 'reset' | 'ready' | readonly [key: string, value: number | undefined];

function tell(bucket: KvHandlers<number>, step: Step): void {
  if (step === 'reset') bucket.onReset();
  else if (step === 'ready') bucket.onReady();
  else bucket.onEntry(step[0], step[1], 1);
}

test('property: the picture is the last that was told whole, with what changed since; who listens has the same', () => {
  const entry = fc.tuple(fc.constantFrom(...KEYS), fc.option(fc.integer(), { nil: undefined }));
  const steps = fc.array(
    fc.oneof({ weight: 5, arbitrary: entry }, fc.constantFrom('reset' as const, 'ready' as const)),
  );
  fc.assert(
    fc.property(steps, (all) => {
      /** As who follows each change knows it, and as who takes a picture as a whole does. */
      const [each, whole] = [new Map<string, number>(), new Map<string, number>()];
      const put = (map: Map<string, number>, key: string, value: number | undefined) => {
        if (value === undefined) map.delete(key);
        else map.set(key, value);
      };
      const { view, bucket } = viewOf({
        onListed: (entries, gone) => {
          for (const key of gone) expect(each.delete(key), 'only what was there is gone').toBe(true);
          for (const [key, value] of entries) each.set(key, value);
          whole.clear();
          for (const [key, value] of entries) whole.set(key, value);
        },
        onEntry: (key, value) => {
          put(each, key, value);
          put(whole, key, value);
        },
      });
      let shown = new Map<string, number>();
      let incoming: Map<string, number> | undefined = new Map();
      for (const step of all) {
        tell(bucket, step);
        if (step === 'reset') incoming = new Map();
        else if (step === 'ready') [shown, incoming] = [incoming ?? shown, undefined];
        else put(incoming ?? shown, ...step);
        expect(view.values).toEqual(shown);
        expect(each).toEqual(shown);
        expect(whole).toEqual(shown);
        const hosts = [...view.hosts()];
        expect(new Set(hosts)).toEqual(new Set([...shown.keys()].map((key) => key.split('.')[0])));
        expect(new Set(hosts.flatMap((host) => [...view.keysOf(host)]))).toEqual(new Set(shown.keys()));
      }
    }),
  );
});

test('what is not taken of a host is told, and counts no more once the bucket is read anew', () => {
  const told: [string, number][] = [];
  const { view, bucket } = viewOf({ onExcess: (...excess) => told.push(excess) });
  bucket.onExcess?.('web1', 1);
  bucket.onExcess?.('web1', 2);
  bucket.onReady();
  expect([...view.excess]).toEqual([['web1', 2]]);
  bucket.onReset();
  expect([...view.excess]).toEqual([]);
  expect(told).toEqual([
    ['web1', 1],
    ['web1', 2],
    ['web1', 0],
  ]);
});

test('who waits for the first picture is told when it is there, that it may not be had, or to stop', async () => {
  const stopping = new AbortController();
  const { view, bucket } = viewOf();
  const waiting = view.ready(stopping.signal);
  stopping.abort(new Error('asked to stop'));
  await expect(waiting).rejects.toThrow('asked to stop');
  await expect(view.ready(stopping.signal)).rejects.toThrow('asked to stop');

  const patient = new AbortController().signal;
  const denied = view.ready(patient);
  bucket.onDenied?.(new PermissionDeniedError('$KV.muster_test_status.>'));
  await expect(denied).rejects.toThrow(PermissionDeniedError);
  const ready = view.ready(patient);
  bucket.onReady();
  await ready;
  await view.ready(stopping.signal);
});
